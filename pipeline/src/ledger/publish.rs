//! The publish: one transaction that makes a run's rows, memory, cursor and files the current ones.

use super::{RunRow, RunState, Tx, runs};
use crate::{Result, crash};
use rusqlite::params;

/// What a publish needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Publishing {
    pub(crate) run: RunRow,
    pub(crate) source: String,
    pub(crate) artifacts: Vec<(String, String)>,
    pub(crate) now: i64,
}

/// What a publish did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Published {
    /// Rows of the tables that are new or different now.
    pub(crate) changed_rows: u64,
    /// Keys that came more than once in the run; the last one won.
    pub(crate) repeated_keys: u64,
}

/// Runs inside one transaction: `tables` publishes the staged rows first.
pub(crate) fn publish(
    tx: &Tx<'_>,
    what: &Publishing,
    tables: impl FnOnce(&Tx<'_>) -> Result<u64>,
) -> Result<Published> {
    let changed_rows = tables(tx)?;
    let repeated_keys = remember_items(tx, what)?;
    crash::point("memory.written");
    remember_parked(tx, what)?;
    tx.execute(
        "UPDATE tm_items SET state = 5 WHERE state = 2 AND run_no < ?1
            AND run_no IN (SELECT run_no FROM tm_runs WHERE pipeline_no = ?2)
            AND key IN (SELECT key FROM tm_items WHERE run_no = ?1)",
        params![what.run.no, what.run.pipeline_no],
    )?;
    tx.execute(
        "INSERT INTO tm_cursors SELECT pipeline_no, ?2, cursor FROM tm_runs
          WHERE run_no = ?1 AND cursor IS NOT NULL
         ON CONFLICT DO UPDATE SET cursor = excluded.cursor",
        params![what.run.no, what.source],
    )?;
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
    tx.execute("DELETE FROM tm_spool WHERE run_no = ?1", params![what.run.no])?;
    // Run memory has served, but for items that wait: the next run takes them over with it.
    tx.execute(
        "DELETE FROM tm_steps WHERE run_no = ?1 AND seq NOT IN
           (SELECT seq FROM tm_items WHERE run_no = ?1 AND state = 2)",
        params![what.run.no],
    )?;
    tx.execute(
        "UPDATE tm_runs SET changed_rows = ?2 WHERE run_no = ?1",
        params![what.run.no, changed_rows],
    )?;
    runs::set_state(tx, what.run.no, RunState::Published, what.now, None)?;
    crash::point("publish.inside");
    Ok(Published { changed_rows, repeated_keys })
}

/// Item memory: done items always, parked ones so that the same content is not tried every night.
fn remember_items(tx: &Tx<'_>, what: &Publishing) -> Result<u64> {
    tx.execute(
        "INSERT INTO tm_memory (pipeline_no, key, content, note, outcome, plan_no, run_no)
         SELECT ?2, key, content, note, state, ?3, run_no FROM tm_items
          WHERE run_no = ?1 AND (state = 1 OR (state = 3 AND content IS NOT NULL)) ORDER BY seq
         ON CONFLICT DO UPDATE SET content = excluded.content, note = excluded.note,
           outcome = excluded.outcome, plan_no = excluded.plan_no, run_no = excluded.run_no",
        params![what.run.no, what.run.pipeline_no, what.run.plan_no],
    )?;
    // Unchanged by a stage's word, though the source thought otherwise: next time it need not.
    tx.execute(
        "UPDATE tm_memory SET content = coalesce(i.content, tm_memory.content),
                note = coalesce(i.note, tm_memory.note) FROM tm_items i
          WHERE i.run_no = ?1 AND i.state = 4 AND tm_memory.pipeline_no = ?2 AND tm_memory.key = i.key",
        params![what.run.no, what.run.pipeline_no],
    )?;
    tx.execute(
        "UPDATE tm_memory SET note = o.note FROM tm_observations o
          WHERE o.run_no = ?1 AND o.note IS NOT NULL
            AND tm_memory.pipeline_no = ?2 AND tm_memory.key = o.key",
        params![what.run.no, what.run.pipeline_no],
    )?;
    let sql = "SELECT count(*) - count(DISTINCT key) FROM tm_items WHERE run_no = ?1 AND state = 1";
    Ok(tx.one(sql, params![what.run.no], |row| row.get(0))?.unwrap_or(0))
}

/// Parked items appear in the list; a key that got through leaves it.
fn remember_parked(tx: &Tx<'_>, what: &Publishing) -> Result<()> {
    tx.execute(
        "DELETE FROM tm_parked WHERE pipeline_no = ?2
            AND key IN (SELECT key FROM tm_items WHERE run_no = ?1 AND state = 1)",
        params![what.run.no, what.run.pipeline_no],
    )?;
    // What the source could not read it has just tried again.
    tx.execute(
        "DELETE FROM tm_parked WHERE pipeline_no = ?1 AND stage = ?2",
        params![what.run.pipeline_no, format!("read {}", what.source)],
    )?;
    tx.execute(
        "INSERT OR REPLACE INTO tm_parked (pipeline_no, key, run_no, seq, stage, reason, message, help, at)
         SELECT ?2, key, run_no, seq, coalesce(stage, ''), coalesce(reason, 'failed'), coalesce(message, ''), help, ?3
           FROM tm_items WHERE run_no = ?1 AND state = 3",
        params![what.run.no, what.run.pipeline_no, what.now],
    )?;
    Ok(())
}
