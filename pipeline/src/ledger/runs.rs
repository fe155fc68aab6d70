//! Runs: begun, resumed, abandoned, published, finished.

use super::{Read, RunState, Tx, items, memory, replays};
use crate::mill::Owner;
use crate::replay::Selection;
use crate::{Error, Fingerprint, Result};
use rusqlite::{Row, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// One run as the ledger knows it.
#[derive(Debug, Clone, Serialize)]
pub struct RunRow {
    /// Its number: later runs have higher ones.
    #[serde(skip)]
    pub no: i64,
    /// Its id, a safe file name: `20261120T020000Z-7f3a9c`.
    pub id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline's number.
    #[serde(skip)]
    pub pipeline_no: i64,
    /// The number of its chain of steps.
    #[serde(skip)]
    pub plan_no: i64,
    /// The local date that its files are filed under.
    pub dt: String,
    /// Its nominal local time.
    pub scheduled_for: String,
    /// Which archived items it works on again; `None` when its source yields them.
    pub replay: Option<Selection>,
    /// How far it is.
    pub state: RunState,
    /// Whether its source has nothing more to say.
    #[serde(skip)]
    pub source_done: bool,
    /// When it began, milliseconds since 1970.
    pub started_at: i64,
    /// When it ended, milliseconds since 1970.
    pub ended_at: Option<i64>,
    /// How many rows its publish changed.
    pub changed_rows: u64,
    /// Which attempt it is: 1, and one more each time it was resumed.
    pub attempt: u32,
    /// Who works on it, or worked on it last.
    pub owner: Option<Owner>,
    /// Its report once it is published, else how far it was at the last sign of life; JSON.
    pub report: Option<serde_json::Value>,
}

const COLUMNS: &str =
    "SELECT r.run_no, r.id, p.name, r.pipeline_no, r.plan_no, r.dt, r.scheduled_for, r.state,
       r.source_done, r.started_at, r.ended_at, r.changed_rows, coalesce(r.report, r.progress),
       r.attempt, r.boot, r.pid, r.beat_at, r.replay
  FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)";

impl RunRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (state, report): (String, Option<String>) = (row.get(7)?, row.get(12)?);
        let replay: Option<String> = row.get(17)?;
        Ok(Self {
            no: row.get(0)?,
            id: row.get(1)?,
            pipeline: row.get(2)?,
            pipeline_no: row.get(3)?,
            plan_no: row.get(4)?,
            dt: row.get(5)?,
            scheduled_for: row.get(6)?,
            replay: replay.and_then(|text| serde_json::from_str(&text).ok()),
            state: RunState::parse(&state),
            source_done: row.get(8)?,
            started_at: row.get(9)?,
            ended_at: row.get(10)?,
            changed_rows: row.get(11)?,
            report: report.and_then(|text| serde_json::from_str(&text).ok()),
            attempt: row.get(13)?,
            owner: Owner::from_columns(row.get(14)?, row.get(15)?, row.get(16)?),
        })
    }

    /// The newest runs first, of one pipeline or of all.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn newest(read: &Read<'_>, pipeline: Option<&str>, count: u32) -> Result<Vec<Self>> {
        let sql = format!(
            "{COLUMNS} WHERE (?1 IS NULL OR p.name = ?1) AND r.trigger <> 'try' ORDER BY r.run_no DESC LIMIT ?2"
        );
        read.all(&sql, params![pipeline, count], Self::from_row)
    }

    /// The run with this id.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn by_id(read: &Read<'_>, id: &str) -> Result<Option<Self>> {
        read.one(&format!("{COLUMNS} WHERE r.id = ?1"), params![id], Self::from_row)
    }

    /// The ids of all runs that were taken back: what they archived counts no more.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn taken_back(read: &Read<'_>) -> Result<BTreeSet<String>> {
        let sql = "SELECT id FROM tm_runs WHERE state = 'rolled_back'";
        Ok(read.all(sql, [], |row| row.get(0))?.into_iter().collect())
    }

    /// Published runs whose way to the archive is not finished, oldest first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn unfinished(read: &Read<'_>, pipeline_no: i64) -> Result<Vec<Self>> {
        let sql = format!(
            "{COLUMNS} WHERE r.pipeline_no = ?1 AND r.state = 'published' ORDER BY r.run_no"
        );
        read.all(&sql, params![pipeline_no], Self::from_row)
    }
}

/// What a run is begun with.
#[derive(Debug, Clone)]
pub(crate) struct NewRun {
    pub(crate) id: String,
    pub(crate) pipeline_no: i64,
    pub(crate) plan_no: i64,
    pub(crate) source: Fingerprint,
    pub(crate) source_name: String,
    pub(crate) trigger: String,
    pub(crate) scheduled_for: String,
    /// The decision of a schedule that it carries out.
    pub(crate) firing_no: Option<i64>,
    /// An unfinished run of the same source goes on, or nothing is begun.
    pub(crate) only_resume: bool,
    pub(crate) dt: String,
    pub(crate) now: i64,
    /// It is only to be looked at: nothing is resumed and nothing is given up for it.
    pub(crate) trial: bool,
    /// Which archived items it works on again.
    pub(crate) replay: Option<Selection>,
    /// The step behind which its items enter; 0: the source.
    pub(crate) entry: usize,
}

const UNFINISHED: &str = "state IN ('running', 'interrupted', 'halted')";

/// Replays and other runs of a pipeline do not take each other's place.
const LANE: &str = "(replay IS NOT NULL) = ?2";

/// Goes on with the newest unfinished run of the same source, or begins a new one and gives the
/// unfinished ones up. The flag says whether it was resumed.
pub(crate) fn begin(tx: &Tx<'_>, new: &NewRun) -> Result<(RunRow, bool)> {
    if new.trial {
        return insert(tx, new, RunState::Trial).map(|run| (run, false));
    }
    let open = tx.one(
        &format!(
            "SELECT run_no, source, plan_no FROM tm_runs
              WHERE pipeline_no = ?1 AND {UNFINISHED} AND {LANE} ORDER BY run_no DESC LIMIT 1"
        ),
        params![new.pipeline_no, new.replay.is_some()],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?)),
    )?;
    if let Some((run_no, source, plan_no)) = open
        && source == new.source.as_bytes()
    {
        return resume(tx, new, run_no, plan_no != new.plan_no).map(|run| (run, true));
    }
    if new.only_resume {
        return Err(Error::halt("there is no unfinished run of this source")
            .because("nothing_to_resume")
            .help("`run` begins one"));
    }
    abandon(tx, new.pipeline_no, new.replay.is_some(), new.now)?;
    insert(tx, new, RunState::Running).map(|run| (run, false))
}

fn resume(tx: &Tx<'_>, new: &NewRun, run_no: i64, other_plan: bool) -> Result<RunRow> {
    let run_no = match new.replay {
        Some(_) => replays::stand_behind(tx, new.pipeline_no, run_no)?,
        None => run_no,
    };
    tx.execute(
        "UPDATE tm_runs SET state = 'running', plan_no = ?2, attempt = attempt + 1 WHERE run_no = ?1",
        params![run_no, new.plan_no],
    )?;
    items::reopen(tx, run_no)?;
    if other_plan {
        // Another prompt, model or sink: what is done goes through once more. Steps that are as
        // they were answer from memory.
        items::reopen_all(tx, run_no, new.entry)?;
    }
    let run = row(tx, run_no)?;
    if !run.source_done {
        // What the source could not read it reads again.
        tx.execute(
            "DELETE FROM tm_items WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state = 3 AND item IS NULL",
            params![run_no],
        )?;
    }
    Ok(run)
}

fn insert(tx: &Tx<'_>, new: &NewRun, state: RunState) -> Result<RunRow> {
    tx.execute(
        "INSERT INTO tm_runs (id, pipeline_no, plan_no, source, source_name, trigger, scheduled_for,
                attempt, dt, state, started_at, firing_no, replay)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10, ?11, ?12)",
        params![
            free_id(tx, &new.id)?,
            new.pipeline_no,
            new.plan_no,
            new.source.as_bytes(),
            new.source_name,
            new.trigger,
            new.scheduled_for,
            new.dt,
            state.as_str(),
            new.now,
            new.firing_no,
            new.replay.as_ref().map(serde_json::to_string).transpose()?
        ],
    )?;
    let run_no = tx.one("SELECT last_insert_rowid()", [], |row| row.get(0))?.unwrap_or_default();
    row(tx, run_no)
}

/// The id, or the id with a number behind it when a clock that was set back has made it before.
fn free_id(read: &Read<'_>, id: &str) -> Result<String> {
    let taken = |id: &str| read.one("SELECT 1 FROM tm_runs WHERE id = ?1", [id], |_| Ok(()));
    if taken(id)?.is_none() {
        return Ok(id.to_string());
    }
    for n in 2..1_000_000 {
        let next = format!("{id}-{n}");
        if taken(&next)?.is_none() {
            return Ok(next);
        }
    }
    Err(Error::halt(format!("there are a million runs with the id {id}")))
}

/// The run with this number.
pub(crate) fn row(tx: &Read<'_>, run_no: i64) -> Result<RunRow> {
    tx.one(&format!("{COLUMNS} WHERE r.run_no = ?1"), params![run_no], RunRow::from_row)?
        .ok_or_else(|| Error::halt(format!("run number {run_no} is not in the ledger")))
}

/// The ids of a pipeline's runs that are not finished: its replays, or the others.
pub(crate) fn unfinished(read: &Read<'_>, pipeline_no: i64, replays: bool) -> Result<Vec<String>> {
    let sql = format!("SELECT id FROM tm_runs WHERE pipeline_no = ?1 AND {UNFINISHED} AND {LANE}");
    read.all(&sql, params![pipeline_no, replays], |row| row.get(0))
}

/// Gives up the unfinished runs of a pipeline, its replays or the others: their unpublished items
/// come again.
pub(crate) fn abandon(tx: &Tx<'_>, pipeline_no: i64, replays: bool, now: i64) -> Result<()> {
    let sql =
        format!("SELECT run_no FROM tm_runs WHERE pipeline_no = ?1 AND {UNFINISHED} AND {LANE}");
    for run_no in tx.all(&sql, params![pipeline_no, replays], |row| row.get::<_, i64>(0))? {
        give_up(tx, run_no, now)?;
    }
    Ok(())
}

/// Gives one run up: what it recorded goes, and so does what it made known.
pub(crate) fn give_up(tx: &Tx<'_>, run_no: i64, now: i64) -> Result<()> {
    memory::forget(tx, &row(tx, run_no)?)?;
    for table in ["tm_items", "tm_steps", "tm_spool"] {
        tx.execute(&format!("DELETE FROM {table} WHERE run_no = ?1"), params![run_no])?;
    }
    set_state(tx, run_no, RunState::Abandoned, now, None)
}

/// Whoever holds the home's lock calls this first: a run that is said to be at work was killed.
pub(super) fn interrupt(tx: &Tx<'_>) -> Result<()> {
    tx.execute("UPDATE tm_runs SET state = 'interrupted' WHERE state = 'running'", [])?;
    // Orders that the owner before took and never answered: who gave them finds them gone.
    tx.execute("DELETE FROM tm_requests WHERE taken_at IS NOT NULL AND answer IS NULL", [])?;
    let trials =
        tx.all("SELECT run_no, started_at FROM tm_runs WHERE state = 'trial'", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
    trials.into_iter().try_for_each(|(run_no, at)| give_up(tx, run_no, at))
}

/// Notes a sign of life, and how far the run is.
pub(crate) fn beat(tx: &Tx<'_>, run_no: i64, owner: &Owner, progress: &str) -> Result<()> {
    tx.execute(
        "UPDATE tm_runs SET boot = ?2, pid = ?3, beat_at = ?4, progress = ?5 WHERE run_no = ?1",
        params![run_no, owner.boot, owner.pid, owner.beat_at, progress],
    )
    .map(|_| ())
}

/// Sets how far a run is, and its report.
pub(crate) fn set_state(
    tx: &Tx<'_>,
    run_no: i64,
    state: RunState,
    now: i64,
    report: Option<&str>,
) -> Result<()> {
    tx.execute(
        "UPDATE tm_runs SET state = ?2, ended_at = ?3, report = coalesce(?4, report) WHERE run_no = ?1",
        params![run_no, state.as_str(), now, report],
    )
    .map(|_| ())
}

/// An error stopped the run. One that is published already stays so.
pub(crate) fn halt(tx: &Tx<'_>, run_no: i64, now: i64) -> Result<()> {
    tx.execute(
        "UPDATE tm_runs SET state = 'halted', ended_at = ?2 WHERE run_no = ?1 AND state = 'running'",
        params![run_no, now],
    )
    .map(|_| ())
}

/// A person, or a bound, stopped the run: the next one goes on with it.
pub(crate) fn stop(tx: &Tx<'_>, run_no: i64) -> Result<()> {
    // A replay makes room for others again and again: only a kill counts against it.
    tx.execute(
        "UPDATE tm_runs SET state = 'interrupted', attempt = attempt - (replay IS NOT NULL)
          WHERE run_no = ?1 AND state = 'running'",
        params![run_no],
    )
    .map(|_| ())
}

/// Saves the source's cursor within the run.
pub(crate) fn set_cursor(tx: &Tx<'_>, run_no: i64, cursor: &str) -> Result<()> {
    tx.execute("UPDATE tm_runs SET cursor = ?2 WHERE run_no = ?1", params![run_no, cursor])
        .map(|_| ())
}

/// The source has nothing more to say in this run.
pub(crate) fn set_source_done(tx: &Tx<'_>, run_no: i64) -> Result<()> {
    tx.execute("UPDATE tm_runs SET source_done = 1 WHERE run_no = ?1", params![run_no]).map(|_| ())
}

/// The source's cursor: as saved in this run, else as the last published run left it.
pub(crate) fn cursor(read: &Read<'_>, run: &RunRow, source: &str) -> Result<Option<String>> {
    let own = "SELECT cursor FROM tm_runs WHERE run_no = ?1 AND cursor IS NOT NULL";
    if let Some(cursor) = read.one(own, params![run.no], |row| row.get(0))? {
        return Ok(Some(cursor));
    }
    let last = "SELECT cursor FROM tm_runs WHERE pipeline_no = ?1 AND source_name = ?2
                   AND cursor IS NOT NULL AND state IN ('published', 'finished')
                 ORDER BY run_no DESC LIMIT 1";
    read.one(last, params![run.pipeline_no, source], |row| row.get(0))
}
