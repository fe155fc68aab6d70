//! Schedules: what the mill runs by itself, and up to when its times are decided.

use super::firings::{self, Candidate};
use super::{Read, Tx};
use crate::Result;
use crate::clock::{CatchUp, Firing, Nominal, Timing, due, judged};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Row, params};
use serde::Serialize;

/// A clock that is set back further than this, and than the schedule's period, was wrong before or
/// is wrong now; milliseconds.
const SET_BACK: i64 = 2 * 3_600_000;

/// … and in any case when it is set back further than this.
const FAR_BACK: i64 = 25 * 3_600_000;

/// A schedule as the ledger knows it.
#[derive(Debug, Clone, Serialize)]
pub struct ScheduleRow {
    /// Its number.
    #[serde(skip)]
    pub no: i64,
    /// Its pipeline, and its name.
    pub pipeline: String,
    /// Who says it: the `code` of a program, or the `home`, which remembers a job.
    pub origin: String,
    /// When it runs.
    pub timing: Timing,
    /// Since when it is as it is, milliseconds since 1970; `every` counts from here.
    pub anchor: i64,
    /// Its times up to this one are decided, milliseconds since 1970.
    pub decided_to: i64,
    /// Since when it is paused, milliseconds since 1970.
    pub paused_at: Option<i64>,
    #[serde(skip)]
    upstream_no: i64,
}

const COLUMNS: &str =
    "SELECT schedule_no, pipeline, origin, timing, anchor, decided_to, paused_at, upstream_no
  FROM tm_schedules";

impl ScheduleRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            no: row.get(0)?,
            pipeline: row.get(1)?,
            origin: row.get(2)?,
            timing: super::tx::json(row, 3)?,
            anchor: row.get(4)?,
            decided_to: row.get(5)?,
            paused_at: row.get(6)?,
            upstream_no: row.get(7)?,
        })
    }

    /// All schedules, by name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn all(read: &Read<'_>) -> Result<Vec<Self>> {
        let sql = format!("{COLUMNS} WHERE gone = 0 ORDER BY pipeline");
        let mut rows = Vec::new();
        read.each(&sql, [], |row| {
            match Self::from_row(row) {
                Ok(row) => rows.push(row),
                // One that cannot be read must not stop the others.
                Err(error) => tracing::error!(%error, "a schedule cannot be read and is left out"),
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// The schedule of this pipeline.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn of(read: &Read<'_>, pipeline: &str) -> Result<Option<Self>> {
        let sql = format!("{COLUMNS} WHERE gone = 0 AND pipeline = ?1");
        read.one(&sql, [pipeline], Self::from_row)
    }

    /// The next time that is not decided yet, without the schedule's delay.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<Firing> {
        let after = now.max(instant(self.decided_to));
        self.timing.schedule.next(after, self.timing.zone, instant(self.anchor))
    }

    fn delay(&self) -> TimeDelta {
        TimeDelta::from_std(self.timing.policy.delay(&self.pipeline)).unwrap_or_default()
    }

    /// Whether it is decided so far ahead of the clock that the clock must have been wrong.
    fn is_ahead(&self, back: i64) -> bool {
        if back <= SET_BACK {
            return false;
        }
        let (schedule, zone) = (&self.timing.schedule, self.timing.zone);
        let next = |at| schedule.next(at, zone, instant(self.anchor)).map(|firing| firing.fire_at);
        let first = next(instant(self.decided_to));
        let period = first.and_then(|first| Some((next(first)? - first).num_milliseconds()));
        back > FAR_BACK.min(SET_BACK + period.unwrap_or(FAR_BACK))
    }

    /// When it has to be looked at next: its next undecided time, with its delay.
    #[must_use]
    pub fn wakes_at(&self) -> Option<DateTime<Utc>> {
        let (schedule, zone) = (&self.timing.schedule, self.timing.zone);
        let next = schedule.next(instant(self.decided_to), zone, instant(self.anchor))?;
        Some(next.fire_at + self.delay())
    }
}

fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// Takes a schedule as its pipeline has it now. One that is new, or new again, begins now; one that
/// is another now is decided up to now first.
pub(crate) fn enrol(
    tx: &Tx<'_>,
    pipeline: &str,
    origin: &str,
    timing: &Timing,
    now: DateTime<Utc>,
) -> Result<()> {
    let text = serde_json::to_string(timing)?;
    let upstream = newest_run(tx, timing)?;
    let begins = now.timestamp_millis();
    let Some(known) = ScheduleRow::of(tx, pipeline)? else {
        return tx
            .execute(
                "INSERT INTO tm_schedules (pipeline, origin, timing, anchor, decided_to, upstream_no)
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5)
                 ON CONFLICT (pipeline) DO UPDATE SET origin = ?2, timing = ?3, anchor = ?4,
                   decided_to = ?4, upstream_no = ?5, gone = 0",
                params![pipeline, origin, text, begins, upstream],
            )
            .map(|_| ());
    };
    let other_times = known.timing.schedule != timing.schedule || known.timing.zone != timing.zone;
    if !other_times {
        let sql = "UPDATE tm_schedules SET origin = ?2, timing = ?3 WHERE schedule_no = ?1";
        return tx.execute(sql, params![known.no, origin, text]).map(|_| ());
    }
    // A time that waits only for its delay counts, too: the new times begin now.
    decide(tx, &known, now + known.delay())?;
    tx.execute(
        "UPDATE tm_schedules SET origin = ?2, timing = ?3, anchor = ?4, decided_to = ?4, upstream_no = ?5
          WHERE schedule_no = ?1",
        params![known.no, origin, text, begins, upstream],
    )
    .map(|_| ())
}

/// The newest run of the pipeline that this timing comes after.
fn newest_run(read: &Read<'_>, timing: &Timing) -> Result<i64> {
    let sql = "SELECT max(run_no) FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
                WHERE p.name = ?1 AND r.replay IS NULL AND r.state IN ('published', 'finished')";
    let newest = |upstream: &str| read.one(sql, [upstream], |row| row.get::<_, Option<i64>>(0));
    Ok(timing.schedule.upstream().map(newest).transpose()?.flatten().flatten().unwrap_or(0))
}

/// Lets go of the schedules that code had and has no more.
pub(crate) fn keep_code(tx: &Tx<'_>, pipelines: &[String], now: i64) -> Result<()> {
    let of_code = ScheduleRow::all(tx)?.into_iter().filter(|row| row.origin == "code");
    for row in of_code.filter(|row| !pipelines.contains(&row.pipeline)) {
        let_go(tx, &row.pipeline, now)?;
    }
    Ok(())
}

/// Lets a schedule go; what was decided stays to be read.
pub(crate) fn let_go(tx: &Tx<'_>, pipeline: &str, now: i64) -> Result<()> {
    if let Some(row) = ScheduleRow::of(tx, pipeline)? {
        firings::end_open(tx, row.no, now)?;
    }
    tx.execute("UPDATE tm_schedules SET gone = 1 WHERE pipeline = ?1", [pipeline]).map(|_| ())
}

/// Pauses a schedule from now on, or ends its pause; true when that changed something. Times that
/// pass meanwhile are let go.
pub(crate) fn pause(
    tx: &Tx<'_>,
    row: &ScheduleRow,
    paused: bool,
    now: DateTime<Utc>,
) -> Result<bool> {
    decide(tx, row, now)?;
    let changed = row.paused_at.is_some() != paused;
    if changed {
        let at = paused.then(|| now.timestamp_millis());
        let sql = "UPDATE tm_schedules SET paused_at = ?2 WHERE schedule_no = ?1";
        tx.execute(sql, params![row.no, at])?;
    }
    Ok(changed)
}

/// The program starts: schedules that run at that moment do.
pub(crate) fn start_up(tx: &Tx<'_>, known: &[String], now: DateTime<Utc>) -> Result<()> {
    for row in ScheduleRow::all(tx)?
        .iter()
        .filter(|row| row.timing.schedule.is_startup() && known.contains(&row.pipeline))
    {
        let zone = row.timing.zone;
        let scheduled_for = Nominal { local: zone.local(now), offset: Some(zone.ahead(now)) };
        let decisions = judged(CatchUp::None, None, &[Firing { scheduled_for, fire_at: now }], now);
        firings::write(tx, row, Candidate::by_clock(decisions), now.timestamp_millis())?;
    }
    Ok(())
}

/// Whether there is something to decide.
pub(crate) fn is_due(read: &Read<'_>, row: &ScheduleRow, now: DateTime<Utc>) -> Result<bool> {
    if row.timing.schedule.upstream().is_some() {
        return Ok(newest_run(read, &row.timing)? > row.upstream_no);
    }
    let back = row.decided_to - now.timestamp_millis();
    Ok(row.is_ahead(back) || row.wakes_at().is_some_and(|at| at <= now))
}

/// Decides everything of a schedule that is due.
pub(crate) fn decide(tx: &Tx<'_>, row: &ScheduleRow, now: DateTime<Utc>) -> Result<()> {
    if row.timing.schedule.upstream().is_some() {
        return decide_after(tx, row, now);
    }
    let until = now - row.delay();
    if row.is_ahead(row.decided_to - until.timestamp_millis()) {
        // Nothing is due for a clock that was ahead; from now on it counts again.
        return set_decided_to(tx, row, until);
    }
    let decisions = due(&row.timing, instant(row.anchor), instant(row.decided_to), until);
    if decisions.is_empty() {
        return Ok(());
    }
    firings::write(tx, row, Candidate::by_clock(decisions), now.timestamp_millis())?;
    set_decided_to(tx, row, until)
}

fn set_decided_to(tx: &Tx<'_>, row: &ScheduleRow, to: DateTime<Utc>) -> Result<()> {
    let sql = "UPDATE tm_schedules SET decided_to = ?2 WHERE schedule_no = ?1";
    tx.execute(sql, params![row.no, to.timestamp_millis()]).map(|_| ())
}

/// Decides on the runs of another pipeline that were published since.
fn decide_after(tx: &Tx<'_>, row: &ScheduleRow, now: DateTime<Utc>) -> Result<()> {
    let runs = tx.all(
        "SELECT r.run_no, r.id, r.scheduled_for, coalesce(r.ended_at, r.started_at)
           FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
          WHERE p.name = ?1 AND r.run_no > ?2 AND r.replay IS NULL
            AND r.state IN ('published', 'finished')
          ORDER BY r.run_no",
        params![row.timing.schedule.upstream(), row.upstream_no],
        |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?, r.get(3)?)),
    )?;
    let Some(newest) = runs.last().map(|run| run.0) else { return Ok(()) };
    let mut times = Vec::with_capacity(runs.len());
    for (_, _, scheduled_for, ended) in &runs {
        let scheduled_for: Nominal = scheduled_for.parse()?;
        times.push(Firing { scheduled_for, fire_at: instant(*ended) });
    }
    let decisions = judged(row.timing.policy.catch_up, None, &times, now);
    let causes = runs.into_iter().map(|run| run.1);
    let candidates = decisions.into_iter().zip(causes);
    let candidates = candidates.map(|(decision, cause)| Candidate { decision, cause }).collect();
    firings::write(tx, row, candidates, now.timestamp_millis())?;
    let sql = "UPDATE tm_schedules SET upstream_no = ?2 WHERE schedule_no = ?1";
    tx.execute(sql, params![row.no, newest]).map(|_| ())
}
