//! Runs: begun, resumed, abandoned, published, finished.

use super::{Read, Tx, items};
use crate::{Error, Fingerprint, Result};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// At work, or killed at work: the next `run` goes on with it.
    Running,
    /// Stopped by an error: the next `run` goes on with it.
    Halted,
    /// Given up for a newer run with other arguments.
    Abandoned,
    /// Its rows are the current ones; files may still wait for the archive.
    Published,
    /// Published, and all its files are in the archive.
    Finished,
}

impl RunState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Halted => "halted",
            RunState::Abandoned => "abandoned",
            RunState::Published => "published",
            RunState::Finished => "finished",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "running" => RunState::Running,
            "halted" => RunState::Halted,
            "published" => RunState::Published,
            "finished" => RunState::Finished,
            _ => RunState::Abandoned,
        }
    }
}

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
    /// Its report, as JSON.
    #[serde(skip)]
    pub report: Option<String>,
}

const COLUMNS: &str =
    "SELECT r.run_no, r.id, p.name, r.pipeline_no, r.plan_no, r.dt, r.scheduled_for, r.state,
       r.source_done, r.started_at, r.ended_at, r.changed_rows, r.report
  FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)";

impl RunRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state: String = row.get(7)?;
        Ok(Self {
            no: row.get(0)?,
            id: row.get(1)?,
            pipeline: row.get(2)?,
            pipeline_no: row.get(3)?,
            plan_no: row.get(4)?,
            dt: row.get(5)?,
            scheduled_for: row.get(6)?,
            state: RunState::parse(&state),
            source_done: row.get(8)?,
            started_at: row.get(9)?,
            ended_at: row.get(10)?,
            changed_rows: row.get(11)?,
            report: row.get(12)?,
        })
    }

    /// The newest runs first, of one pipeline or of all.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn newest(read: &Read<'_>, pipeline: Option<&str>, count: u32) -> Result<Vec<Self>> {
        let sql =
            format!("{COLUMNS} WHERE ?1 IS NULL OR p.name = ?1 ORDER BY r.run_no DESC LIMIT ?2");
        read.all(&sql, params![pipeline, count], Self::from_row)
    }

    /// The run with this id.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn by_id(read: &Read<'_>, id: &str) -> Result<Option<Self>> {
        read.one(&format!("{COLUMNS} WHERE r.id = ?1"), params![id], Self::from_row)
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
    pub(crate) trigger: String,
    pub(crate) scheduled_for: String,
    pub(crate) dt: String,
    pub(crate) now: i64,
}

/// Goes on with the newest unfinished run of the same source, or begins a new one and gives the
/// unfinished ones up. The flag says whether it was resumed.
pub(crate) fn begin(tx: &Tx<'_>, new: &NewRun) -> Result<(RunRow, bool)> {
    let open = tx.one(
        "SELECT run_no, source, plan_no FROM tm_runs
          WHERE pipeline_no = ?1 AND state IN ('running', 'halted') ORDER BY run_no DESC LIMIT 1",
        params![new.pipeline_no],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?)),
    )?;
    if let Some((run_no, source, plan_no)) = open
        && source == new.source.as_bytes()
    {
        tx.execute(
            "UPDATE tm_runs SET state = 'running', plan_no = ?2, attempt = attempt + 1 WHERE run_no = ?1",
            params![run_no, new.plan_no],
        )?;
        // Waiting items of an unpublished run are simply open again; parked ones get another try too,
        // since nobody has seen them yet.
        tx.execute(
            "UPDATE tm_items SET state = 0, reason = NULL
              WHERE run_no = ?1 AND state IN (2, 3) AND item IS NOT NULL AND reason IS NOT ?2",
            params![run_no, items::LIMIT],
        )?;
        if plan_no != new.plan_no {
            // Another prompt, model or sink: what is done goes through once more. Steps that are as
            // they were answer from memory.
            tx.execute(
                "UPDATE tm_items SET state = 0 WHERE run_no = ?1 AND state = 1",
                params![run_no],
            )?;
            tx.execute("DELETE FROM tm_spool WHERE run_no = ?1", params![run_no])?;
        }
        let run = row(tx, run_no)?;
        if !run.source_done {
            // What the source could not read it reads again.
            tx.execute("DELETE FROM tm_items WHERE run_no = ?1 AND item IS NULL", params![run_no])?;
        }
        return Ok((run, true));
    }
    abandon(tx, new.pipeline_no, new.now)?;
    tx.execute(
        "INSERT INTO tm_runs (id, pipeline_no, plan_no, source, trigger, scheduled_for, attempt, dt, state, started_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, 'running', ?8)",
        params![
            new.id,
            new.pipeline_no,
            new.plan_no,
            new.source.as_bytes(),
            new.trigger,
            new.scheduled_for,
            new.dt,
            new.now
        ],
    )?;
    let run_no = tx.one("SELECT last_insert_rowid()", [], |row| row.get(0))?.unwrap_or_default();
    Ok((row(tx, run_no)?, false))
}

fn row(tx: &Tx<'_>, run_no: i64) -> Result<RunRow> {
    tx.one(&format!("{COLUMNS} WHERE r.run_no = ?1"), params![run_no], RunRow::from_row)?
        .ok_or_else(|| Error::halt(format!("run number {run_no} is not in the ledger")))
}

/// Gives up the unfinished runs of a pipeline: their unpublished items come again.
fn abandon(tx: &Tx<'_>, pipeline_no: i64, now: i64) -> Result<()> {
    let unfinished =
        "SELECT run_no FROM tm_runs WHERE pipeline_no = ?1 AND state IN ('running', 'halted')";
    for table in ["tm_items", "tm_steps", "tm_spool", "tm_observations"] {
        let sql = format!("DELETE FROM {table} WHERE run_no IN ({unfinished})");
        tx.execute(&sql, params![pipeline_no])?;
    }
    tx.execute(
        "UPDATE tm_runs SET state = 'abandoned', ended_at = ?2
          WHERE pipeline_no = ?1 AND state IN ('running', 'halted')",
        params![pipeline_no, now],
    )?;
    Ok(())
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
    let last = "SELECT cursor FROM tm_cursors WHERE pipeline_no = ?1 AND source = ?2";
    read.one(last, params![run.pipeline_no, source], |row| row.get(0))
}
