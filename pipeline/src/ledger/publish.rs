//! The publish: one transaction that makes a run's rows, memory, cursor and files the current ones.

use super::{RunRow, RunState, Tx, runs};
use crate::{Result, crash};
use rusqlite::params;

/// What a publish needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Publishing {
    pub(crate) run: RunRow,
    pub(crate) artifacts: Vec<(String, String)>,
    /// Keys that came more than once in the run; the last one won.
    pub(crate) repeated_keys: u64,
    pub(crate) now: i64,
}

/// Runs inside one transaction: `tables` publishes the staged rows, the run's new state makes its
/// item memory, its parked items and its cursor count. Returns how many rows changed.
///
/// Nothing is taken away here, so that other writers wait no longer than they must: see `clean.rs`.
pub(crate) fn publish(
    tx: &Tx<'_>,
    what: &Publishing,
    tables: impl FnOnce(&Tx<'_>) -> Result<u64>,
) -> Result<u64> {
    let changed_rows = tables(tx)?;
    for (dataset, name) in &what.artifacts {
        tx.execute(
            "INSERT OR IGNORE INTO tm_artifacts VALUES (?1, ?2, ?3)",
            params![what.run.no, dataset, name],
        )?;
        tx.execute(
            "INSERT OR IGNORE INTO tm_offloads (run_no, dataset, state) VALUES (?1, ?2, 'sealed')",
            params![what.run.no, dataset],
        )?;
    }
    tx.execute(
        "UPDATE tm_runs SET changed_rows = ?2, repeated_keys = ?3 WHERE run_no = ?1",
        params![what.run.no, changed_rows, what.repeated_keys],
    )?;
    runs::set_state(tx, what.run.no, RunState::Published, what.now, None)?;
    crash::point("publish.inside");
    Ok(changed_rows)
}
