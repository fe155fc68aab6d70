//! Item memory: what the last published run knew of a key; written by run, before its publish.

use super::{Read, RunRow, Tx, items};
use crate::{Error, Fingerprint, Result};
use rusqlite::params;

/// What the last published run knew of a key.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) content: Option<Fingerprint>,
    pub(crate) note: Option<serde_json::Value>,
}

/// Looks a key up.
pub(crate) fn known(read: &Read<'_>, pipeline_no: i64, key: &str) -> Result<Option<Known>> {
    read.one(
        "SELECT m.content, m.note FROM tm_memory m JOIN tm_runs r USING (run_no)
          WHERE m.pipeline_no = ?1 AND m.key = ?2 AND r.state IN ('published', 'finished')
          ORDER BY m.run_no DESC LIMIT 1",
        params![pipeline_no, key],
        |row| {
            let content: Option<Vec<u8>> = row.get(0)?;
            let note: Option<String> = row.get(1)?;
            Ok(Known {
                content: content.and_then(|bytes| Fingerprint::from_slice(&bytes)),
                note: note.and_then(|text| serde_json::from_str(&text).ok()),
            })
        },
    )
}

/// Writes what a run makes known; nobody sees it until the run is published. Done items always,
/// parked ones so that the same content is not tried every night. Returns how many keys came more
/// than once; the last one wins.
pub(crate) fn write(tx: &Tx<'_>, run: &RunRow, now: i64) -> Result<u64> {
    begin(tx, run)?;
    // In the order of the keys, so that the pages of the table are filled one behind the other.
    let sql = format!(
        "INSERT INTO tm_memory (pipeline_no, key, run_no, content, note, outcome, plan_no)
         SELECT ?2, key, ?1, content, note, outcome, ?3 FROM
           (SELECT key, content, note, iif(state = 3, 3, 1) AS outcome, max(seq) FROM tm_items
             WHERE run_no = ?1 AND {MADE_KNOWN} GROUP BY key)"
    );
    let keys = tx.execute(&sql, params![run.no, run.pipeline_no, run.plan_no])?;
    renew(tx, run)?;
    end(tx, run, keys, now)
}

/// Which items of a run make something known.
pub(super) const MADE_KNOWN: &str =
    "(state IN (1, 6, 7) OR (state = 3 AND content IS NOT NULL AND passing = 0))";

/// Before a run's memory is written: nothing of it may be open, and an earlier try goes.
pub(super) fn begin(tx: &Tx<'_>, run: &RunRow) -> Result<()> {
    let open = items::open(tx, run.no)?;
    if open > 0 {
        return Err(Error::halt(format!("{open} items of run {} are at no end", run.id))
            .because("open_items")
            .help(
                "this is a defect in the engine: nothing was published; run again, and report it",
            ));
    }
    forget(tx, run)?;
    tx.execute("UPDATE tm_runs SET memory = 1 WHERE run_no = ?1", params![run.no]).map(|_| ())
}

/// After it: parked items are listed. Returns how many keys came more than once.
pub(super) fn end(tx: &Tx<'_>, run: &RunRow, keys: usize, now: i64) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM tm_items WHERE run_no = ?1 AND {MADE_KNOWN}");
    let items: u64 = tx.one(&sql, params![run.no], |row| row.get(0))?.unwrap_or(0);
    park(tx, run, now)?;
    Ok(items.saturating_sub(keys as u64))
}

/// Unchanged, but with another note; or unchanged by a stage's word though the source thought
/// otherwise: next time it need not.
fn renew(tx: &Tx<'_>, run: &RunRow) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO tm_memory (pipeline_no, key, run_no, content, note, outcome, plan_no, renewed)
         SELECT m.pipeline_no, i.key, ?1, coalesce(i.content, m.content), coalesce(i.note, m.note),
                m.outcome, m.plan_no, 1
           FROM tm_items i JOIN tm_memory m ON m.pipeline_no = ?2 AND m.key = i.key
          WHERE i.run_no = ?1 AND i.state = 4 AND (i.note IS NOT NULL OR i.content IS NOT NULL)
            AND (coalesce(i.content, m.content) IS NOT m.content OR coalesce(i.note, m.note) IS NOT m.note)
            AND m.run_no = (SELECT max(o.run_no) FROM tm_memory o JOIN tm_runs r USING (run_no)
                 WHERE o.pipeline_no = ?2 AND o.key = i.key AND r.state IN ('published', 'finished'))",
        params![run.no, run.pipeline_no],
    )
    .map(|_| ())
}

fn park(tx: &Tx<'_>, run: &RunRow, now: i64) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO tm_parked (pipeline_no, key, run_no, seq, stage, reason, message, help, at)
         SELECT ?2, key, run_no, seq, coalesce(stage, ''), coalesce(reason, 'failed'), coalesce(message, ''), help, ?3
           FROM tm_items WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state = 3",
        params![run.no, run.pipeline_no, now],
    )
    .map(|_| ())
}

/// Takes back what a run wrote: it was killed before its publish, given up, or rolled back.
pub(crate) fn forget(tx: &Tx<'_>, run: &RunRow) -> Result<()> {
    let sql = "SELECT 1 FROM tm_runs WHERE run_no = ?1 AND memory = 1";
    if tx.one(sql, params![run.no], |_| Ok(()))?.is_none() {
        return Ok(());
    }
    for table in ["tm_memory", "tm_parked"] {
        let sql = format!("DELETE FROM {table} WHERE pipeline_no = ?1 AND run_no = ?2");
        tx.execute(&sql, params![run.pipeline_no, run.no])?;
    }
    tx.execute("UPDATE tm_runs SET memory = 0 WHERE run_no = ?1", params![run.no]).map(|_| ())
}
