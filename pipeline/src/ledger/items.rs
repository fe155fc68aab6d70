//! Items of a run: recorded, carried over, settled.

use super::{Read, RunRow, Tx, clean};
use crate::run::Counts;
use crate::{Fingerprint, Result};
use rusqlite::params;

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// Recorded, not through yet.
    Open,
    /// Through the whole chain.
    Done,
    /// Something it needs is away; the next run takes it first.
    Waiting,
    /// Set aside with its reason.
    Parked,
    /// The same content as last time: nothing ran.
    Unchanged,
    /// Made into several items by `flatten`, which go on in its place.
    Split,
    /// Made into one item with others by `chunks`, which goes on in its place.
    Merged,
}

impl ItemState {
    pub(crate) fn code(self) -> i64 {
        match self {
            ItemState::Open => 0,
            ItemState::Done => 1,
            ItemState::Waiting => 2,
            ItemState::Parked => 3,
            ItemState::Unchanged => 4,
            ItemState::Split => 6,
            ItemState::Merged => 7,
        }
    }
}

/// An item as it was recorded, before it is deserialised.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) seq: u64,
    pub(crate) key: String,
    /// `None` when the source could not read it, or when it is unchanged.
    pub(crate) item: Option<Vec<u8>>,
    pub(crate) content: Option<Fingerprint>,
    pub(crate) note: Option<String>,
    pub(crate) state: ItemState,
    /// Of an archived item: the date that it is filed under.
    pub(crate) dt: Option<String>,
}

/// Why an item waits that the run's limit held back.
pub(crate) const LIMIT: &str = "limit";

/// Records an item that enters behind the step `entry` (0: the source yielded it); one that waits
/// from the beginning is over the limit.
pub(crate) fn record(tx: &Tx<'_>, run_no: i64, entry: usize, recorded: &Recorded) -> Result<()> {
    tx.execute(
        "INSERT INTO tm_items (run_no, seq, key, item, content, note, state, reason, entry, dt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            run_no,
            recorded.seq,
            recorded.key,
            recorded.item,
            recorded.content.as_ref().map(Fingerprint::as_bytes),
            recorded.note,
            recorded.state.code(),
            (recorded.state == ItemState::Waiting).then_some(LIMIT),
            entry as i64,
            recorded.dt,
        ],
    )
    .map(|_| ())
}

/// What was made of archived items is filed under the date of the first of them.
pub(crate) fn inherit_date(
    tx: &Tx<'_>,
    run_no: i64,
    from: &[u64],
    made: &[Recorded],
) -> Result<()> {
    let sql = "UPDATE tm_items SET dt = (SELECT dt FROM tm_items WHERE run_no = ?1 AND seq = ?2)
                WHERE run_no = ?1 AND seq = ?3";
    let first = from.first().copied().unwrap_or_default();
    made.iter().try_for_each(|row| tx.execute(sql, params![run_no, first, row.seq]).map(|_| ()))
}

/// The dates that items of a run are filed under that a sink keeps; `None` is the run's own.
pub(crate) fn dates(read: &Read<'_>, run_no: i64, sink: usize) -> Result<Vec<Option<String>>> {
    let sql = "SELECT DISTINCT i.dt FROM tm_spool s JOIN tm_items i USING (run_no, seq)
                WHERE s.run_no = ?1 AND s.sink = ?2 ORDER BY i.dt";
    read.all(sql, params![run_no, sink as i64], |row| row.get(0))
}

/// The next open items of a run behind `seq` that enter behind the step `entry`, oldest first.
pub(crate) fn open_after(
    read: &Read<'_>,
    run_no: i64,
    entry: usize,
    seq: u64,
    count: u32,
) -> Result<Vec<Recorded>> {
    read.all(
        "SELECT seq, key, item, dt FROM tm_items
          WHERE run_no = ?1 AND seq > ?2 AND state < 4 AND state <> 1 AND state = 0 AND entry = ?4
          ORDER BY seq LIMIT ?3",
        params![run_no, seq, count, entry as i64],
        |row| {
            Ok(Recorded {
                seq: row.get(0)?,
                key: row.get(1)?,
                item: row.get(2)?,
                content: None,
                note: None,
                state: ItemState::Open,
                dt: row.get(3)?,
            })
        },
    )
}

/// The highest place in the run that is taken.
pub(crate) fn last_seq(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT seq FROM tm_items WHERE run_no = ?1 ORDER BY seq DESC LIMIT 1";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

/// Calls `each` for everything that entered the run behind the step `entry` (0: the source): key, place, content, and whether it
/// is open or unchanged.
pub(crate) fn each_key(
    read: &Read<'_>,
    run_no: i64,
    entry: usize,
    mut each: impl FnMut(&str, u64, Option<Fingerprint>, ItemState),
) -> Result<()> {
    let sql = "SELECT key, seq, content, state FROM tm_items WHERE run_no = ?1 AND entry = ?2";
    read.each(sql, params![run_no, entry as i64], |row| {
        let content = row.get_ref(2)?.as_blob_or_null()?.and_then(Fingerprint::from_slice);
        let unchanged = row.get::<_, i64>(3)? == ItemState::Unchanged.code();
        let state = if unchanged { ItemState::Unchanged } else { ItemState::Open };
        each(row.get_ref(0)?.as_str()?, row.get(1)?, content, state);
        Ok(())
    })
}

/// What the source noted of the item at a place of a run.
pub(crate) fn note(read: &Read<'_>, run_no: i64, seq: u64) -> Result<Option<String>> {
    let sql = "SELECT note FROM tm_items WHERE run_no = ?1 AND seq = ?2";
    Ok(read.one(sql, params![run_no, seq], |row| row.get(0))?.flatten())
}

/// Keys that wait in earlier runs of the pipeline and are not in this one, with their content.
pub(crate) fn waiting(
    read: &Read<'_>,
    pipeline_no: i64,
    run_no: i64,
) -> Result<Vec<(String, Option<Fingerprint>)>> {
    read.all(
        "SELECT w.key, i.content FROM tm_waiting_now w JOIN tm_items i ON i.run_no = w.run_no AND i.seq = w.seq
          WHERE w.pipeline_no = ?1 AND w.run_no < ?2 AND i.taken_by IS NOT ?2",
        params![pipeline_no, run_no],
        |row| {
            let content: Option<Vec<u8>> = row.get(1)?;
            Ok((row.get(0)?, content.and_then(|bytes| Fingerprint::from_slice(&bytes))))
        },
    )
}

/// How many items the run has passed on: those that count against its limit.
pub(crate) fn passed(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM tm_items
                WHERE run_no = ?1 AND entry = 0 AND item IS NOT NULL AND state NOT IN (2, 4)";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

/// Takes the waiting items of earlier runs into this one, first in line, with what their steps
/// remember. They wait in their old runs too until this one is published: a run that is given up
/// or rolled back takes nothing with it.
pub(crate) fn carry(tx: &Tx<'_>, run: &RunRow, limit: Option<u64>) -> Result<u64> {
    let waiting = tx.all(
        "SELECT run_no, seq FROM tm_waiting_now
          WHERE pipeline_no = ?1 AND run_no < ?2 ORDER BY run_no, seq LIMIT ?3",
        params![run.pipeline_no, run.no, limit.unwrap_or(i64::MAX as u64)],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let mut seq = 0_i64;
    for (old_run, old_seq) in &waiting {
        seq += 1;
        tx.execute(
            "INSERT INTO tm_items (run_no, seq, key, item, content, note, entry)
             SELECT ?1, ?2, key, item, content, note, entry FROM tm_items WHERE run_no = ?3 AND seq = ?4",
            params![run.no, seq, old_run, old_seq],
        )?;
        tx.execute(
            "INSERT INTO tm_steps SELECT ?1, ?2, stage_no, fingerprint, input, output
               FROM tm_steps WHERE run_no = ?3 AND seq = ?4",
            params![run.no, seq, old_run, old_seq],
        )?;
        tx.execute(
            "UPDATE tm_items SET taken_by = ?1 WHERE run_no = ?2 AND seq = ?3",
            params![run.no, old_run, old_seq],
        )?;
    }
    Ok(waiting.len() as u64)
}

/// Opens what a resumed run has not brought to its end: what waits in it, and what it parked and
/// nobody has seen yet. What is over its limit keeps waiting.
pub(crate) fn reopen(tx: &Tx<'_>, run_no: i64) -> Result<()> {
    tx.execute(
        "UPDATE tm_items SET state = 0, reason = NULL
          WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state <> 0 AND item IS NOT NULL
            AND reason IS NOT ?2",
        params![run_no, LIMIT],
    )
    .map(|_| ())
}

/// Opens what is through as well: the chain of steps is another one now. What `flatten` and
/// `chunks` made is made again from what came before.
///
/// `entry` is where the run's items enter now: archived ones may have entered at another place.
pub(crate) fn reopen_all(tx: &Tx<'_>, run_no: i64, entry: usize) -> Result<()> {
    let first = "SELECT coalesce(min(entry), 0) FROM tm_items WHERE run_no = ?1";
    let first = match entry {
        0 => 0,
        _ => tx.one(first, params![run_no], |row| row.get::<_, i64>(0))?.unwrap_or(0),
    };
    // But for those that were taken over: what they were made of is in an earlier run.
    tx.execute(
        "DELETE FROM tm_items WHERE run_no = ?1 AND entry > ?2
            AND seq > (SELECT count(*) FROM tm_items WHERE taken_by = ?1)",
        params![run_no, first],
    )?;
    tx.execute(
        "UPDATE tm_items SET entry = ?3 WHERE run_no = ?1 AND entry = ?2 AND ?2 <> ?3",
        params![run_no, first, entry as i64],
    )?;
    tx.execute(
        "UPDATE tm_items SET state = 0 WHERE run_no = ?1 AND state IN (1, 6, 7)",
        params![run_no],
    )?;
    for table in clean::staging_tables(tx)? {
        tx.execute(&format!("DELETE FROM {table} WHERE tm_run = ?1"), params![run_no])?;
    }
    tx.execute("DELETE FROM tm_spool WHERE run_no = ?1", params![run_no]).map(|_| ())
}

/// Parks open items that entered behind a step which the pipeline no longer has there.
pub(crate) fn park_strays(tx: &Tx<'_>, run_no: i64, entries: &[usize]) -> Result<()> {
    let entries = entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tx.execute(
        &format!(
            "UPDATE tm_items SET state = 3, stage = 'entry', reason = 'entry_gone',
                    message = 'the pipeline no longer has the step that made this item',
                    help = 'drop it; what it was made of comes again when its content changes'
              WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state = 0 AND entry NOT IN ({entries})"
        ),
        params![run_no],
    )
    .map(|_| ())
}

/// How many items are at no end. None may be when a run is published.
pub(crate) fn open(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM tm_items
                WHERE run_no = ?1 AND state < 4 AND state <> 1 AND state = 0";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

/// Why an item did not get through.
#[derive(Debug, Clone)]
pub(crate) struct Setback {
    pub(crate) stage: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// It has nothing to do with the item's content.
    pub(crate) passing: bool,
}

/// These items are through, or others go on in their place.
pub(crate) fn through(tx: &Tx<'_>, run_no: i64, seqs: &[u64], state: ItemState) -> Result<()> {
    let sql =
        "UPDATE tm_items SET state = ?3, stage = NULL, reason = NULL, message = NULL, help = NULL
                WHERE run_no = ?1 AND seq = ?2";
    seqs.iter().try_for_each(|seq| tx.execute(sql, params![run_no, seq, state.code()]).map(|_| ()))
}

/// Says where an item ended that did not get through.
pub(crate) fn settle(
    tx: &Tx<'_>,
    run_no: i64,
    seq: u64,
    state: ItemState,
    setback: &Setback,
) -> Result<()> {
    tx.execute(
        "UPDATE tm_items SET state = ?3, stage = ?4, reason = ?5, message = ?6, help = ?7, passing = ?8
          WHERE run_no = ?1 AND seq = ?2",
        params![
            run_no,
            seq,
            state.code(),
            setback.stage,
            setback.reason,
            setback.message,
            setback.help,
            setback.passing
        ],
    )
    .map(|_| ())
}

/// Keeps the content hash and note that a stage said for an item; a hash that the source said stays.
pub(crate) fn observe(
    tx: &Tx<'_>,
    run_no: i64,
    seq: u64,
    content: &Fingerprint,
    note: Option<&str>,
) -> Result<()> {
    tx.execute(
        "UPDATE tm_items SET content = coalesce(content, ?3), note = ?4 WHERE run_no = ?1 AND seq = ?2",
        params![run_no, seq, content.as_bytes(), note],
    )
    .map(|_| ())
}

/// Where the run's items ended, over all its attempts, and why some did not get through.
pub(crate) fn ends(read: &Read<'_>, run_no: i64) -> Result<(Counts, Vec<(String, u64)>)> {
    // Sums, not groups: to group, SQLite would sort all the run's items.
    let sql = "SELECT total(state = 1), total(state = 4), total(state = 2), total(state = 3)
                 FROM tm_items WHERE run_no = ?1";
    let count = |row: &rusqlite::Row<'_>, column| row.get::<_, f64>(column).map(|sum| sum as u64);
    let counts = read.one(sql, params![run_no], |row| {
        Ok(Counts {
            done: count(row, 0)?,
            unchanged: count(row, 1)?,
            waiting: count(row, 2)?,
            parked: count(row, 3)?,
        })
    })?;
    let counts = counts.unwrap_or_default();
    let reasons = read.all(
        "SELECT reason, count(*) FROM tm_items
          WHERE run_no = ?1 AND state < 4 AND state <> 1 AND reason IS NOT NULL GROUP BY reason ORDER BY reason",
        params![run_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok((counts, reasons))
}
