//! Housekeeping: what a run needed goes when the run no longer needs it, a little at a time, so
//! that nobody waits for it.

use super::calls::{self, CallCap};
use super::{Read, Tx, quoted, undo};
use crate::{Result, crash};
use rusqlite::params;

/// Rows of one table that go at once.
const CHUNK: u32 = 10_000;

/// The engine's tables that have a column `run_no` and their own rules; rows of all others with such
/// a column (those of parts) go with their run's items.
const OWN: &[&str] = &[
    "tm_runs",
    "tm_items",
    "tm_steps",
    "tm_spool",
    "tm_memory",
    "tm_parked",
    "tm_calls",
    "tm_costs",
    "tm_artifacts",
    "tm_offloads",
    "tm_references",
];

/// Where housekeeping stands between two steps; begins at the default.
#[derive(Debug, Default, Clone)]
pub(crate) struct Broom {
    /// The run that is swept, and the place in it up to which it is.
    run_no: i64,
    seq: u64,
}

/// Sweeps a little. True while there is more to sweep.
pub(crate) fn sweep(
    tx: &Tx<'_>,
    pipeline_no: i64,
    cap: &CallCap,
    now: i64,
    broom: &mut Broom,
) -> Result<bool> {
    if let Some(run_no) = ended(tx, pipeline_no)? {
        clear_run(tx, run_no, broom)?;
        crash::point("clean.middle");
        return Ok(true);
    }
    if let Some(run_no) = past(tx, pipeline_no)? {
        clear_past(tx, pipeline_no, run_no, broom)?;
        crash::point("clean.middle");
        return Ok(true);
    }
    leftovers(tx, pipeline_no)?;
    tx.execute(
        "DELETE FROM tm_requests WHERE made_at < ?1 AND (taken_at IS NULL OR done_at IS NOT NULL)",
        params![now.saturating_sub(7 * 24 * 3600 * 1000)],
    )?;
    if calls::cap(tx, cap, now, CHUNK)? > 0 {
        return Ok(true);
    }
    shrink(tx)
}

/// A run that has ended and still has what it needed while it was at work.
fn ended(read: &Read<'_>, pipeline_no: i64) -> Result<Option<i64>> {
    read.one(
        "SELECT run_no FROM tm_runs WHERE pipeline_no = ?1 AND cleaned = 0
            AND state IN ('published', 'finished', 'abandoned', 'rolled_back') LIMIT 1",
        params![pipeline_no],
        |row| row.get(0),
    )
}

/// An archived run that can no longer be taken back: its items, and what it superseded, may go.
fn past(read: &Read<'_>, pipeline_no: i64) -> Result<Option<i64>> {
    read.one(
        "SELECT run_no FROM tm_runs WHERE pipeline_no = ?1 AND cleaned IN (1, 2) AND run_no < ?2
            AND state IN ('finished', 'abandoned', 'rolled_back') ORDER BY run_no LIMIT 1",
        params![pipeline_no, undo::oldest_kept(read, pipeline_no)?],
        |row| row.get(0),
    )
}

/// Spool, staged rows, and run memory but for items that wait or are parked: those go on with it.
fn clear_run(tx: &Tx<'_>, run_no: i64, broom: &mut Broom) -> Result<()> {
    for table in staging_tables(tx)? {
        if empty(tx, &table, "tm_run", run_no)?
            || clear_some(tx, &table, "tm_run", "tm_seq", run_no)?
        {
            return Ok(());
        }
    }
    if empty(tx, "tm_spool", "run_no", run_no)?
        || clear_some(tx, "tm_spool", "run_no", "sink, seq", run_no)?
    {
        return Ok(());
    }
    let kept = "SELECT 1 FROM tm_items WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state <> 0 LIMIT 1";
    if tx.one(kept, params![run_no], |_| Ok(()))?.is_none()
        && empty(tx, "tm_steps", "run_no", run_no)?
    {
        return Ok(());
    }
    let from = broom.place(run_no);
    let to = "SELECT max(seq) FROM (SELECT seq FROM tm_steps WHERE run_no = ?1 AND seq > ?2
                ORDER BY seq LIMIT ?3)";
    let to =
        tx.one(to, params![run_no, from, CHUNK], |row| row.get::<_, Option<u64>>(0))?.flatten();
    let Some(to) = to else {
        return tx
            .execute("UPDATE tm_runs SET cleaned = 1 WHERE run_no = ?1", params![run_no])
            .map(|_| ());
    };
    tx.execute(
        "DELETE FROM tm_steps WHERE run_no = ?1 AND seq > ?2 AND seq <= ?3 AND seq NOT IN
           (SELECT seq FROM tm_items WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state <> 0)",
        params![run_no, from, to],
    )?;
    broom.seq = to;
    Ok(())
}

/// Empties a table at one stroke when it holds rows of this run and of no other: SQLite then frees
/// its pages without a look at the rows. True when it did.
fn empty(tx: &Tx<'_>, table: &str, run: &str, run_no: i64) -> Result<bool> {
    let sql = format!(
        "SELECT (SELECT {run} FROM {table} ORDER BY {run} LIMIT 1),
                (SELECT {run} FROM {table} ORDER BY {run} DESC LIMIT 1)"
    );
    let ends = tx.one(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if ends != Some((Some(run_no), Some(run_no))) {
        return Ok(false);
    }
    tx.execute(&format!("DELETE FROM {table}"), [])?;
    Ok(true)
}

/// Deletes some of the run's rows; false when there are none.
fn clear_some(tx: &Tx<'_>, table: &str, run: &str, place: &str, run_no: i64) -> Result<bool> {
    let sql = format!(
        "DELETE FROM {table} WHERE {run} = ?1 AND ({place}) IN
           (SELECT {place} FROM {table} WHERE {run} = ?1 LIMIT ?2)"
    );
    Ok(tx.execute(&sql, params![run_no, CHUNK])? > 0)
}

/// What a run superseded in item memory, its items but for those that wait or are parked, and what
/// parts kept for it.
fn clear_past(tx: &Tx<'_>, pipeline_no: i64, run_no: i64, broom: &mut Broom) -> Result<()> {
    let from = broom.place(run_no);
    let to = "SELECT max(seq) FROM (SELECT seq FROM tm_items WHERE run_no = ?1 AND seq > ?2
                ORDER BY seq LIMIT ?3)";
    let to =
        tx.one(to, params![run_no, from, CHUNK], |row| row.get::<_, Option<u64>>(0))?.flatten();
    let Some(to) = to else { return forget_past(tx, run_no) };
    // From now on it cannot be taken back, whatever becomes of the runs behind it.
    tx.execute("UPDATE tm_runs SET cleaned = 2 WHERE run_no = ?1", params![run_no])?;
    tx.execute(
        "DELETE FROM tm_memory WHERE pipeline_no = ?1 AND run_no < ?2 AND key IN
           (SELECT i.key FROM tm_items i JOIN tm_memory m
                ON m.pipeline_no = ?1 AND m.key = i.key AND m.run_no = ?2
             WHERE i.run_no = ?2 AND i.seq > ?3 AND i.seq <= ?4)",
        params![pipeline_no, run_no, from, to],
    )?;
    tx.execute(
        "DELETE FROM tm_items WHERE run_no = ?1 AND seq > ?2 AND seq <= ?3 AND state NOT IN (2, 3)",
        params![run_no, from, to],
    )?;
    broom.seq = to;
    Ok(())
}

fn forget_past(tx: &Tx<'_>, run_no: i64) -> Result<()> {
    let tables = tx.all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'tm~_undo~_%' ESCAPE '~'",
        [],
        |row| row.get::<_, String>(0),
    )?;
    for table in tables {
        tx.execute(&format!("DELETE FROM {} WHERE tm_run = ?1", quoted(&table)), params![run_no])?;
    }
    for table in parts_tables(tx)? {
        tx.execute(&format!("DELETE FROM {} WHERE run_no = ?1", quoted(&table)), params![run_no])?;
    }
    tx.execute("UPDATE tm_runs SET cleaned = 3 WHERE run_no = ?1", params![run_no]).map(|_| ())
}

/// What waited or was parked in runs that are swept, and has been taken over or off the list since.
fn leftovers(tx: &Tx<'_>, pipeline_no: i64) -> Result<()> {
    let gone = "SELECT i.run_no, i.seq FROM tm_runs r JOIN tm_items i USING (run_no)
                  LEFT JOIN tm_runs t ON t.run_no = i.taken_by
                 WHERE r.pipeline_no = ?1 AND r.cleaned = 3 AND i.state < 4 AND i.state <> 1
                   AND ((i.state = 2 AND t.state = 'finished' AND t.cleaned = 3)
                     OR (i.state = 3 AND NOT EXISTS (SELECT 1 FROM tm_parked k
                           WHERE k.pipeline_no = ?1 AND k.key = i.key AND k.run_no = i.run_no)))";
    for table in ["tm_steps", "tm_items"] {
        tx.execute(
            &format!("DELETE FROM {table} WHERE (run_no, seq) IN ({gone})"),
            params![pipeline_no],
        )?;
    }
    // Parked entries that a later run superseded and that no rollback brings back.
    tx.execute(
        "DELETE FROM tm_parked AS k WHERE pipeline_no = ?1
            AND (EXISTS (SELECT 1 FROM tm_memory m JOIN tm_runs s USING (run_no)
                   WHERE m.pipeline_no = ?1 AND m.key = k.key AND m.run_no > k.run_no
                     AND m.outcome = 1 AND s.cleaned = 3)
              OR EXISTS (SELECT 1 FROM tm_parked l JOIN tm_runs s USING (run_no)
                   WHERE l.pipeline_no = ?1 AND l.key = k.key AND l.run_no > k.run_no AND s.cleaned = 3))",
        params![pipeline_no],
    )
    .map(|_| ())
}

/// Gives pages back to the disk when half of a large file is empty: the next run needs some of them,
/// and each one that is moved is written.
fn shrink(tx: &Tx<'_>) -> Result<bool> {
    let sql = "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count";
    let (free, all) = tx
        .one(sql, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))?
        .unwrap_or_default();
    if free < 65_536 || free < all / 2 {
        return Ok(false);
    }
    // It yields a row for each page: it is done when all have been asked for.
    tx.all("PRAGMA incremental_vacuum(4096)", [], |_| Ok(()))?;
    Ok(true)
}

/// Every table whose rows have a run's number, but for those in which it only says where a row came
/// from.
pub(super) fn tables_of_runs(read: &Read<'_>) -> Result<Vec<String>> {
    let said = ["tm_calls", "tm_costs"];
    let own = OWN.iter().filter(|name| !said.contains(*name)).map(ToString::to_string);
    Ok(own.chain(parts_tables(read)?).map(|name| quoted(&name)).collect())
}

pub(super) fn staging_tables(read: &Read<'_>) -> Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'tm~_staged~_%' ESCAPE '~'";
    let names = read.all(sql, [], |row| row.get::<_, String>(0))?;
    Ok(names.iter().map(|name| quoted(name)).collect())
}

/// Tables of parts whose rows belong to a run.
fn parts_tables(read: &Read<'_>) -> Result<Vec<String>> {
    let sql = "SELECT s.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c
                WHERE s.type = 'table' AND s.name LIKE 'tm~_%' ESCAPE '~' AND c.name = 'run_no'";
    let mut names = read.all(sql, [], |row| row.get::<_, String>(0))?;
    let of_users = |name: &str| name.starts_with("tm_undo_") || name.starts_with("tm_staged_");
    names.retain(|name| !OWN.contains(&name.as_str()) && !of_users(name));
    Ok(names)
}

impl Broom {
    /// The place up to which this run is swept; another run begins at its beginning.
    fn place(&mut self, run_no: i64) -> u64 {
        if self.run_no != run_no {
            *self = Self { run_no, seq: 0 };
        }
        self.seq
    }
}
