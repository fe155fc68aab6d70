//! Firings: what was decided at each time of a schedule, why, and what came of it.

use super::schedules::ScheduleRow;
use super::{Read, RunRow, Tx};
use crate::Result;
use crate::clock::{CatchUp, Decision, Fate, Overlap};
use chrono::{DateTime, Utc};
use rusqlite::{Row, params};
use serde::Serialize;

/// So many decisions of a schedule are kept, the newest.
const KEPT: i64 = 10_000;

/// A time of a schedule, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct FiringRow {
    /// Its number.
    #[serde(skip)]
    pub no: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The nominal local time.
    pub scheduled_for: String,
    /// When that is, milliseconds since 1970.
    pub fire_at: i64,
    /// When it was decided, milliseconds since 1970.
    pub decided_at: i64,
    /// `fired`, `queued` (waits for its turn), `skipped`, `missed`, or `coalesced` (another run
    /// makes up for it).
    pub decision: String,
    /// Why.
    pub reason: String,
    /// How many times up to this one it stands for; `None` when they were too many to count.
    pub times: Option<u64>,
    /// How often its run was begun.
    pub tries: u32,
    /// How often its run failed; a kill is no failure.
    pub failures: u32,
    /// When it is tried again, milliseconds since 1970.
    pub next_try_at: Option<i64>,
    /// When it was over, milliseconds since 1970.
    pub ended_at: Option<i64>,
    /// What came of it: `published`, or what went wrong.
    pub outcome: Option<String>,
    /// Its run.
    pub run: Option<String>,
}

const COLUMNS: &str =
    "SELECT f.firing_no, s.pipeline, f.scheduled_for, f.fire_at, f.decided_at, f.decision, f.reason,
       f.times, f.tries, f.next_try_at, f.ended_at, f.outcome, f.failures,
       (SELECT r.id FROM tm_runs r WHERE r.firing_no = f.firing_no ORDER BY r.run_no DESC LIMIT 1)
  FROM tm_firings f JOIN tm_schedules s USING (schedule_no)";

/// What is to be run; while its schedule is paused nothing is.
const OPEN: &str =
    "f.ended_at IS NULL AND f.decision IN ('fired', 'queued') AND s.paused_at IS NULL";

impl FiringRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            no: row.get(0)?,
            pipeline: row.get(1)?,
            scheduled_for: row.get(2)?,
            fire_at: row.get(3)?,
            decided_at: row.get(4)?,
            decision: row.get(5)?,
            reason: row.get(6)?,
            times: row.get(7)?,
            tries: row.get(8)?,
            next_try_at: row.get(9)?,
            ended_at: row.get(10)?,
            outcome: row.get(11)?,
            failures: row.get(12)?,
            run: row.get(13)?,
        })
    }

    /// Whether its run failed and is to be tried again later.
    #[must_use]
    pub fn waits(&self, now: DateTime<Utc>) -> bool {
        self.next_try_at.is_some_and(|at| at > now.timestamp_millis())
    }

    /// Whether it still has to be run, or is at work.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none() && matches!(self.decision.as_str(), "fired" | "queued")
    }

    /// The newest decisions first, of one pipeline or of all.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn newest(read: &Read<'_>, pipeline: Option<&str>, count: u32) -> Result<Vec<Self>> {
        let sql = format!(
            "{COLUMNS} WHERE ?1 IS NULL OR s.pipeline = ?1 ORDER BY f.firing_no DESC LIMIT ?2"
        );
        read.all(&sql, params![pipeline, count], Self::from_row)
    }

    /// What still has to be run or is at work, oldest first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn open(read: &Read<'_>) -> Result<Vec<Self>> {
        read.all(&format!("{COLUMNS} WHERE {OPEN} ORDER BY f.firing_no"), [], Self::from_row)
    }

    /// The oldest one of a pipeline that still has to be run.
    pub(crate) fn first_open(read: &Read<'_>, pipeline: &str) -> Result<Option<Self>> {
        let sql =
            format!("{COLUMNS} WHERE s.pipeline = ?1 AND {OPEN} ORDER BY f.firing_no LIMIT 1");
        read.one(&sql, [pipeline], Self::from_row)
    }

    /// What was decided for this nominal time.
    pub(crate) fn at(read: &Read<'_>, pipeline: &str, scheduled_for: &str) -> Result<Option<Self>> {
        let sql =
            format!("{COLUMNS} WHERE s.pipeline = ?1 AND f.scheduled_for = ?2 AND f.cause = ''");
        read.one(&sql, params![pipeline, scheduled_for], Self::from_row)
    }
}

/// The decision that a run carries out, unless it is over.
pub(crate) fn of_run(read: &Read<'_>, run_no: i64) -> Result<Option<FiringRow>> {
    let sql = format!(
        "{COLUMNS} WHERE {OPEN} AND f.firing_no = (SELECT firing_no FROM tm_runs WHERE run_no = ?1)"
    );
    read.one(&sql, [run_no], FiringRow::from_row)
}

/// A decision that is to be written down.
pub(crate) struct Candidate {
    pub(crate) decision: Decision,
    /// Of `after`: the run that it comes after.
    pub(crate) cause: String,
}

impl Candidate {
    /// What only the clock was the cause of.
    pub(crate) fn by_clock(decisions: Vec<Decision>) -> Vec<Self> {
        let of = |decision| Self { decision, cause: String::new() };
        decisions.into_iter().map(of).collect()
    }
}

/// Writes down what was decided, with the overlap policy and the pause applied. Nothing is decided
/// twice: a time that is in the ledger stays as it is, unless a clock that was ahead decided it and
/// nothing ran for it.
pub(crate) fn write(
    tx: &Tx<'_>,
    row: &ScheduleRow,
    candidates: Vec<Candidate>,
    now: i64,
) -> Result<()> {
    let busy = busy(tx, &row.pipeline)?;
    let queued = count_open(tx, row.no, "queued")? > 0;
    let last = candidates.iter().rposition(|candidate| candidate.decision.fate.runs());
    let makes_up = candidates.iter().any(|candidate| candidate.decision.fate == Fate::Coalesced);
    let mut first = busy.is_none();
    for (n, Candidate { decision, cause }) in candidates.into_iter().enumerate() {
        let turn = Turn { busy, queued, last: Some(n) == last, first, makes_up };
        let (what, reason) = judge(row, &decision, turn);
        first &= what != "fired";
        tx.execute(
            "INSERT INTO tm_firings (schedule_no, scheduled_for, cause, fire_at, decided_at, decision, reason, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (schedule_no, scheduled_for, cause) DO UPDATE
                SET fire_at = ?4, decided_at = ?5, decision = ?6, reason = ?7, times = ?8
              WHERE decision NOT IN ('fired', 'queued') AND decided_at > ?5",
            params![
                row.no,
                decision.firing.scheduled_for.to_string(),
                cause,
                decision.firing.fire_at.timestamp_millis(),
                now,
                what,
                reason,
                decision.times
            ],
        )?;
    }
    forget_old(tx, row.no)
}

/// How things stand when a time comes.
#[derive(Clone, Copy)]
struct Turn {
    /// Why a run of the pipeline cannot begin just now.
    busy: Option<&'static str>,
    /// One waits for its turn already.
    queued: bool,
    /// It is the newest of those that come at once.
    last: bool,
    /// It is the oldest of them, and nothing is at work.
    first: bool,
    /// It makes up for others that come at once.
    makes_up: bool,
}

fn judge(row: &ScheduleRow, decision: &Decision, turn: Turn) -> (&'static str, String) {
    let reason = decision.reason.clone();
    match decision.fate {
        Fate::Coalesced => return ("coalesced", reason),
        Fate::Missed => return ("missed", reason),
        _ if row.paused_at.is_some() => return ("skipped", "the schedule is paused".into()),
        _ if turn.first => return ("fired", reason),
        Fate::OnTime | Fate::Late => {}
    }
    // Without that it stands behind the first of those that come at once.
    let Some(why) = turn.busy else { return ("queued", reason) };
    let waits = ("queued", format!("{reason}; {why}"));
    let skipped = |why: &str| ("skipped", why.to_string());
    let policy = row.timing.policy;
    let each = matches!(policy.catch_up, CatchUp::All { .. });
    match (policy.overlap, decision.fate) {
        (Overlap::Allow, _) => waits,
        (_, Fate::Late) if each => waits,
        (_, _) if turn.queued => skipped(&format!("{why}, and one waits already")),
        // What makes up for missed times is not lost to a run that only goes on.
        (_, Fate::Late) => waits,
        _ if turn.makes_up => waits,
        (Overlap::Skip, _) => skipped(why),
        (Overlap::Queue, _) if !turn.last => skipped("a later one waits for its turn"),
        (Overlap::Queue, _) => waits,
    }
}

/// Why a run cannot begin just now, if so.
fn busy(read: &Read<'_>, pipeline: &str) -> Result<Option<&'static str>> {
    let running = "SELECT 1 FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
                    WHERE p.name = ?1 AND r.state = 'running' AND r.replay IS NULL LIMIT 1";
    if read.one(running, [pipeline], |_| Ok(()))?.is_some() {
        return Ok(Some("a run of this pipeline is at work"));
    }
    Ok(FiringRow::first_open(read, pipeline)?.map(|first| match first.next_try_at {
        Some(_) => "the run before failed, and is tried again first",
        None => "a run of this pipeline is at work or about to begin",
    }))
}

fn count_open(read: &Read<'_>, schedule_no: i64, decision: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM tm_firings
                WHERE schedule_no = ?1 AND decision = ?2 AND ended_at IS NULL";
    Ok(read.one(sql, params![schedule_no, decision], |row| row.get(0))?.unwrap_or(0))
}

fn forget_old(tx: &Tx<'_>, schedule_no: i64) -> Result<()> {
    tx.execute(
        "DELETE FROM tm_firings
          WHERE schedule_no = ?1 AND NOT (ended_at IS NULL AND decision IN ('fired', 'queued'))
            AND firing_no < (SELECT max(firing_no) FROM tm_firings WHERE schedule_no = ?1) - ?2",
        params![schedule_no, KEPT],
    )
    .map(|_| ())
}

/// A decision of a person: this time gets a run, whatever was decided before. Says its number.
pub(crate) fn by_hand(
    tx: &Tx<'_>,
    schedule_no: i64,
    scheduled_for: &str,
    fire_at: i64,
    now: i64,
) -> Result<i64> {
    tx.execute(
        "INSERT INTO tm_firings (schedule_no, scheduled_for, fire_at, decided_at, decision, reason, times)
         VALUES (?1, ?2, ?3, ?4, 'fired', 'by hand', 1)
         ON CONFLICT (schedule_no, scheduled_for, cause) DO UPDATE
            SET decision = 'fired', reason = 'by hand; before: ' || decision || ', ' || reason,
                decided_at = ?4, ended_at = NULL, outcome = NULL, tries = 0, failures = 0, next_try_at = NULL",
        params![schedule_no, scheduled_for, fire_at, now],
    )?;
    let sql = "SELECT firing_no FROM tm_firings WHERE schedule_no = ?1 AND scheduled_for = ?2 AND cause = ''";
    Ok(tx.one(sql, params![schedule_no, scheduled_for], |row| row.get(0))?.unwrap_or_default())
}

/// Its turn has come, for the first time or again.
pub(crate) fn begin(tx: &Tx<'_>, no: i64) -> Result<()> {
    let sql = "UPDATE tm_firings SET decision = 'fired', tries = tries + 1, next_try_at = NULL
                WHERE firing_no = ?1";
    tx.execute(sql, [no]).map(|_| ())
}

/// Its run was stopped in good order: that was no try.
pub(crate) fn put_back(tx: &Tx<'_>, no: i64) -> Result<()> {
    let sql = "UPDATE tm_firings SET tries = max(tries - 1, 0) WHERE firing_no = ?1";
    tx.execute(sql, [no]).map(|_| ())
}

/// Its run failed and is tried again.
pub(crate) fn again(tx: &Tx<'_>, no: i64, at: i64, outcome: &str) -> Result<()> {
    let sql = "UPDATE tm_firings SET next_try_at = ?2, outcome = ?3, failures = failures + 1
                WHERE firing_no = ?1";
    tx.execute(sql, params![no, at, outcome]).map(|_| ())
}

/// It is over.
pub(crate) fn end(tx: &Tx<'_>, no: i64, now: i64, outcome: &str) -> Result<()> {
    let sql = "UPDATE tm_firings SET ended_at = ?2, outcome = ?3, next_try_at = NULL WHERE firing_no = ?1";
    tx.execute(sql, params![no, now, outcome]).map(|_| ())
}

/// Its schedule is gone: what was not run yet is let go.
pub(crate) fn end_open(tx: &Tx<'_>, schedule_no: i64, now: i64) -> Result<()> {
    let sql = "UPDATE tm_firings SET ended_at = ?2, outcome = 'the schedule is gone'
                WHERE schedule_no = ?1 AND ended_at IS NULL AND decision IN ('fired', 'queued')";
    tx.execute(sql, params![schedule_no, now]).map(|_| ())
}

/// The published run that carried it out.
pub(crate) fn published_run(read: &Read<'_>, no: i64) -> Result<Option<RunRow>> {
    let sql = "SELECT id FROM tm_runs WHERE firing_no = ?1 AND state IN ('published', 'finished')
                ORDER BY run_no DESC LIMIT 1";
    let id = read.one(sql, [no], |row| row.get::<_, String>(0))?;
    id.map_or(Ok(None), |id| RunRow::by_id(read, &id))
}

/// Whether a run that carries it out was published.
pub(crate) fn is_published(read: &Read<'_>, no: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM tm_runs
                WHERE firing_no = ?1 AND state IN ('published', 'finished', 'rolled_back') LIMIT 1";
    Ok(read.one(sql, [no], |_| Ok(()))?.is_some())
}
