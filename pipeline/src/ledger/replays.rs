//! Replays in the ledger: what is known of each key before one, what one makes known, and how one
//! that was overtaken by other runs goes on behind them.

use super::{OffloadRow, OffloadState, Read, RunRow, Tx, clean, memory};
use crate::Result;
use rusqlite::params;
use std::collections::BTreeMap;

/// What the newest published run knew of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) key: &'a str,
    pub(crate) run_no: i64,
    pub(crate) plan_no: i64,
    pub(crate) done: bool,
    /// The run that did it: the newest one may only have found it as it was.
    pub(crate) made_by: i64,
    /// The oldest run that is known to have had the content of now.
    pub(crate) content_since: i64,
}

/// Calls `each` with every key that published runs of a pipeline know.
pub(crate) fn each_known(
    read: &Read<'_>,
    pipeline_no: i64,
    mut each: impl FnMut(Standing<'_>),
) -> Result<()> {
    let published = published(read, pipeline_no)?;
    // By key, older runs first: the last one of a key that is published counts.
    let sql = "SELECT key, run_no, plan_no, outcome, renewed, content FROM tm_memory WHERE pipeline_no = ?1
                ORDER BY key, run_no";
    let mut last = (String::new(), None::<Standing<'_>>);
    let mut content: Vec<u8> = Vec::new();
    let tell = |key: &str, last: Option<Standing<'_>>, each: &mut dyn FnMut(Standing<'_>)| {
        if let Some(standing) = last {
            each(Standing { key, ..standing });
        }
    };
    read.each(sql, params![pipeline_no], |row| {
        let run_no: i64 = row.get(1)?;
        if !published.contains_key(&run_no) {
            return Ok(());
        }
        let key = row.get_ref(0)?.as_str()?;
        if last.0 != key {
            tell(&last.0, last.1.take(), &mut each);
            last.0 = key.to_string();
        }
        let found = row.get_ref(5)?.as_blob_or_null()?.unwrap_or_default();
        // What nobody hashed may be other each time.
        let same = last.1.filter(|_| !found.is_empty() && content == found);
        let content_since = same.map_or(run_no, |before| before.content_since);
        content.clear();
        content.extend_from_slice(found);
        let renewed = row.get::<_, i64>(4)? == 1;
        let made_by = last.1.filter(|_| renewed).map_or(run_no, |before| before.made_by);
        let (plan_no, done) = (row.get(2)?, row.get::<_, i64>(3)? == 1);
        last.1 = Some(Standing { key: "", run_no, plan_no, done, made_by, content_since });
        Ok(())
    })?;
    tell(&last.0, last.1.take(), &mut each);
    Ok(())
}

/// Published runs of which files of a dataset are not in an archive yet.
pub(crate) fn on_the_way(read: &Read<'_>, pipeline: &str, dataset: &str) -> Result<Vec<i64>> {
    let rows = OffloadRow::under_way(read, Some(pipeline))?.into_iter();
    let waits = |row: &OffloadRow| row.dataset == dataset && row.state != OffloadState::Retired;
    Ok(rows.filter(waits).map(|row| row.run_no).collect())
}

/// The published runs of a pipeline: number and id.
pub(crate) fn published(read: &Read<'_>, pipeline_no: i64) -> Result<BTreeMap<i64, String>> {
    let sql = "SELECT run_no, id FROM tm_runs
                WHERE pipeline_no = ?1 AND state IN ('published', 'finished')";
    let runs = read.all(sql, params![pipeline_no], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(runs.into_iter().collect())
}

/// The ids of a pipeline's runs that were taken back.
pub(crate) fn taken_back(read: &Read<'_>, pipeline: &str) -> Result<Vec<String>> {
    let sql = "SELECT r.id FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
                WHERE p.name = ?1 AND r.state = 'rolled_back'";
    read.all(sql, params![pipeline], |row| row.get(0))
}

/// The keys of a pipeline that are parked now, and those that a person dropped.
pub(crate) fn set_aside(read: &Read<'_>, pipeline_no: i64) -> Result<(Vec<String>, Vec<String>)> {
    let keys = |table: &str| {
        let sql = format!("SELECT key FROM {table} WHERE pipeline_no = ?1");
        read.all(&sql, params![pipeline_no], |row| row.get(0))
    };
    Ok((keys("tm_parked_now")?, keys("tm_dropped")?))
}

/// The unfinished replay of a pipeline with this selection, if there is one.
pub(crate) fn unfinished(
    read: &Read<'_>,
    pipeline_no: i64,
    source: &crate::Fingerprint,
) -> Result<Option<i64>> {
    read.one(
        "SELECT run_no FROM tm_runs WHERE pipeline_no = ?1 AND source = ?2 AND replay IS NOT NULL
            AND state IN ('running', 'interrupted', 'halted') ORDER BY run_no DESC LIMIT 1",
        params![pipeline_no, source.as_bytes()],
        |row| row.get(0),
    )
}

/// Calls `each` with the items of an unfinished replay: key, whether it is settled, and the places of
/// the steps whose answers it has.
pub(crate) fn each_item(
    read: &Read<'_>,
    run_no: i64,
    mut each: impl FnMut(&str, bool, &str),
) -> Result<()> {
    let sql = "SELECT i.key, i.state,
                      (SELECT group_concat(stage_no) FROM tm_steps s WHERE s.run_no = i.run_no AND s.seq = i.seq)
                 FROM tm_items i WHERE i.run_no = ?1";
    read.each(sql, params![run_no], |row| {
        let settled = matches!(row.get::<_, i64>(1)?, 1 | 4 | 6 | 7);
        each(row.get_ref(0)?.as_str()?, settled, row.get_ref(2)?.as_str_or_null()?.unwrap_or(""));
        Ok(())
    })
}

/// Runs that were published since an unfinished replay began go before it: it takes the next number,
/// and what they made anew is left as they made it. Returns the number that it has now.
pub(crate) fn stand_behind(tx: &Tx<'_>, pipeline_no: i64, run_no: i64) -> Result<i64> {
    let sql = "SELECT 1 FROM tm_runs WHERE pipeline_no = ?1 AND run_no > ?2
                AND state IN ('published', 'finished') LIMIT 1";
    if tx.one(sql, params![pipeline_no, run_no], |_| Ok(()))?.is_none() {
        return Ok(run_no);
    }
    let next = "SELECT max(run_no) + 1 FROM tm_runs";
    let next: i64 = tx.one(next, [], |row| row.get(0))?.unwrap_or(run_no + 1);
    for table in clean::tables_of_runs(tx)? {
        let sql = format!("UPDATE {table} SET run_no = ?2 WHERE run_no = ?1");
        tx.execute(&sql, params![run_no, next])?;
    }
    let staged = clean::staging_tables(tx)?;
    for table in &staged {
        let sql = format!("UPDATE {table} SET tm_run = ?2 WHERE tm_run = ?1");
        tx.execute(&sql, params![run_no, next])?;
    }
    tx.execute(
        "UPDATE tm_items SET state = 4, reason = 'superseded', stage = NULL, message = NULL, help = NULL,
                content = NULL, note = NULL
          WHERE run_no = ?2 AND EXISTS
            (SELECT 1 FROM tm_memory m JOIN tm_runs r USING (run_no)
              WHERE m.pipeline_no = ?3 AND m.key = tm_items.key AND m.run_no > ?1 AND m.run_no < ?2
                AND m.renewed = 0 AND r.state IN ('published', 'finished'))",
        params![run_no, next, pipeline_no],
    )?;
    for table in &staged {
        let sql = format!(
            "DELETE FROM {table} WHERE tm_run = ?1 AND tm_seq IN
               (SELECT seq FROM tm_items WHERE run_no = ?1 AND state = 4)"
        );
        tx.execute(&sql, params![next])?;
    }
    Ok(next)
}

/// How many items of a replay were done anew by other runs meanwhile.
pub(crate) fn superseded(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM tm_items WHERE run_no = ?1 AND reason = 'superseded'";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

/// Writes what a replay makes known, as [`memory::write`] does it for other runs; `plans` says, for
/// the chain that did a key before, which chain has done it now. Returns how many keys came more than
/// once.
pub(crate) fn write(
    tx: &Tx<'_>,
    run: &RunRow,
    plans: &BTreeMap<i64, i64>,
    now: i64,
) -> Result<u64> {
    memory::begin(tx, run)?;
    let cases: String = plans.iter().map(|(was, is)| format!(" WHEN {was} THEN {is}")).collect();
    let plan = format!("CASE coalesce(k.plan_no, 0){cases} ELSE {} END", run.plan_no);
    let plan = if plans.is_empty() { run.plan_no.to_string() } else { plan };
    // What the source knows of a key stays as it was: content and note are its own. A key that came
    // through before and is parked now keeps the row that it has, and stays stale.
    let keys = tx.execute(
        &format!(
            "WITH known AS (
               SELECT m.key, m.content, m.note, m.plan_no, m.outcome, max(m.run_no)
                 FROM tm_memory m JOIN tm_runs r USING (run_no)
                WHERE m.pipeline_no = ?2 AND r.state IN ('published', 'finished') GROUP BY m.key)
             INSERT INTO tm_memory (pipeline_no, key, run_no, content, note, outcome, plan_no)
             SELECT ?2, i.key, ?1, coalesce(k.content, i.content), coalesce(i.note, k.note), i.outcome, {plan}
               FROM (SELECT key, content, note, iif(state = 3, 3, 1) AS outcome, max(seq) FROM tm_items
                      WHERE run_no = ?1 AND {} GROUP BY key) i
               LEFT JOIN known k ON k.key = i.key
              WHERE i.outcome = 1 OR k.outcome IS NOT 1",
            memory::MADE_KNOWN
        ),
        params![run.no, run.pipeline_no],
    )?;
    memory::end(tx, run, keys, now)
}
