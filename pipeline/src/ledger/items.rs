//! Items of a run: recorded, carried over, settled; and what earlier runs knew of a key.

use super::{Read, RunRow, Tx};
use crate::run::Counts;
use crate::{Fingerprint, Result};
use rusqlite::params;
use serde::Serialize;

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
    /// Was waiting, and was taken over by a later run.
    Carried,
}

impl ItemState {
    pub(crate) fn code(self) -> i64 {
        match self {
            ItemState::Open => 0,
            ItemState::Done => 1,
            ItemState::Waiting => 2,
            ItemState::Parked => 3,
            ItemState::Unchanged => 4,
            ItemState::Carried => 5,
        }
    }
}

/// An item as it was recorded, before it is deserialised.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) seq: u64,
    pub(crate) key: String,
    /// `None` when the source could not read it.
    pub(crate) item: Option<Vec<u8>>,
    pub(crate) content: Option<Fingerprint>,
}

/// Why an item waits that the run's limit held back.
pub(crate) const LIMIT: &str = "limit";

/// Records an item that a source yielded; one that waits from the beginning is over the limit.
pub(crate) fn record(
    tx: &Tx<'_>,
    run_no: i64,
    recorded: &Recorded,
    note: Option<&str>,
    state: ItemState,
) -> Result<()> {
    tx.execute(
        "INSERT INTO tm_items (run_no, seq, key, item, content, note, state, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            run_no,
            recorded.seq,
            recorded.key,
            recorded.item,
            recorded.content.as_ref().map(Fingerprint::as_bytes),
            note,
            state.code(),
            (state == ItemState::Waiting).then_some(LIMIT)
        ],
    )
    .map(|_| ())
}

/// The next open items of a run after `seq`, oldest first.
pub(crate) fn open_after(
    read: &Read<'_>,
    run_no: i64,
    seq: u64,
    count: u32,
) -> Result<Vec<Recorded>> {
    read.all(
        "SELECT seq, key, item, content FROM tm_items
          WHERE run_no = ?1 AND seq > ?2 AND state = 0 ORDER BY seq LIMIT ?3",
        params![run_no, seq, count],
        |row| {
            Ok(Recorded {
                seq: row.get(0)?,
                key: row.get(1)?,
                item: row.get(2)?,
                content: row
                    .get::<_, Option<Vec<u8>>>(3)?
                    .and_then(|bytes| Fingerprint::from_slice(&bytes)),
            })
        },
    )
}

/// The highest place in the run that is taken.
pub(crate) fn last_seq(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT coalesce(max(seq), 0) FROM tm_items WHERE run_no = ?1";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

/// All keys that the run has recorded, each with the content that its source said.
pub(crate) fn keys(read: &Read<'_>, run_no: i64) -> Result<Vec<(String, Option<Fingerprint>)>> {
    read.all("SELECT key, content FROM tm_items WHERE run_no = ?1", params![run_no], |row| {
        let content: Option<Vec<u8>> = row.get(1)?;
        Ok((row.get(0)?, content.and_then(|bytes| Fingerprint::from_slice(&bytes))))
    })
}

/// Keys that wait in earlier runs of the pipeline and are not in this one.
pub(crate) fn waiting(read: &Read<'_>, pipeline_no: i64, run_no: i64) -> Result<Vec<String>> {
    read.all(
        "SELECT i.key FROM tm_items i JOIN tm_runs r USING (run_no)
          WHERE i.state = 2 AND r.pipeline_no = ?1 AND r.run_no < ?2
            AND i.key NOT IN (SELECT key FROM tm_items WHERE run_no = ?2)",
        params![pipeline_no, run_no],
        |row| row.get(0),
    )
}

/// The note of the run's first item with this key.
pub(crate) fn note(read: &Read<'_>, run_no: i64, key: &str) -> Result<Option<String>> {
    let sql = "SELECT note FROM tm_items WHERE run_no = ?1 AND key = ?2 ORDER BY seq LIMIT 1";
    Ok(read.one(sql, params![run_no, key], |row| row.get(0))?.flatten())
}

/// How many items the run has passed on: those that count against its limit.
pub(crate) fn passed(read: &Read<'_>, run_no: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM tm_items WHERE run_no = ?1 AND item IS NOT NULL AND state <> 2";
    Ok(read.one(sql, params![run_no], |row| row.get(0))?.unwrap_or(0))
}

/// Takes the waiting items of earlier runs into this one, first in line, with what their steps
/// remember. They wait in their old runs too until this one is published: a run that is given up
/// takes nothing with it.
pub(crate) fn carry(tx: &Tx<'_>, run: &RunRow, limit: Option<u64>) -> Result<u64> {
    let waiting = tx.all(
        "SELECT i.run_no, i.seq FROM tm_items i JOIN tm_runs r USING (run_no)
          WHERE i.state = 2 AND r.pipeline_no = ?1 AND r.run_no < ?2
            AND r.state IN ('published', 'finished')
          ORDER BY i.run_no, i.seq LIMIT ?3",
        params![run.pipeline_no, run.no, limit.unwrap_or(i64::MAX as u64)],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let mut seq = 0_i64;
    for (old_run, old_seq) in &waiting {
        seq += 1;
        tx.execute(
            "INSERT INTO tm_items (run_no, seq, key, item, content, note)
             SELECT ?1, ?2, key, item, content, note FROM tm_items WHERE run_no = ?3 AND seq = ?4",
            params![run.no, seq, old_run, old_seq],
        )?;
        tx.execute(
            "INSERT INTO tm_steps SELECT ?1, ?2, stage_no, fingerprint, input, output
               FROM tm_steps WHERE run_no = ?3 AND seq = ?4",
            params![run.no, seq, old_run, old_seq],
        )?;
    }
    Ok(waiting.len() as u64)
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

/// Says where an item ended.
pub(crate) fn settle(
    tx: &Tx<'_>,
    run_no: i64,
    seq: u64,
    state: ItemState,
    setback: Option<&Setback>,
) -> Result<()> {
    tx.execute(
        "UPDATE tm_items SET state = ?3, stage = ?4, reason = ?5, message = ?6, help = ?7,
                content = CASE WHEN ?8 AND ?3 = 3 THEN NULL ELSE content END
          WHERE run_no = ?1 AND seq = ?2",
        params![
            run_no,
            seq,
            state.code(),
            setback.map(|s| s.stage.as_str()),
            setback.map(|s| s.reason.as_str()),
            setback.map(|s| s.message.as_str()),
            setback.and_then(|s| s.help.as_deref()),
            setback.is_some_and(|s| s.passing)
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

/// Notes that a key was looked at and found as it was, with what is to be kept of it now.
pub(crate) fn observation(
    tx: &Tx<'_>,
    run_no: i64,
    key: &str,
    note: Option<&str>,
    now: i64,
) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO tm_observations (run_no, key, note, at) VALUES (?1, ?2, ?3, ?4)",
        params![run_no, key, note, now],
    )
    .map(|_| ())
}

/// What the last published run knew of a key.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) content: Option<Fingerprint>,
    pub(crate) note: Option<serde_json::Value>,
}

/// Looks a key up in item memory.
pub(crate) fn known(read: &Read<'_>, pipeline_no: i64, key: &str) -> Result<Option<Known>> {
    read.one(
        "SELECT content, note FROM tm_memory WHERE pipeline_no = ?1 AND key = ?2",
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

/// An item that was set aside, with its reason.
#[derive(Debug, Clone, Serialize)]
pub struct ParkedItem {
    /// The pipeline's name.
    pub pipeline: String,
    /// The item's key.
    pub key: String,
    /// The id of the run that parked it.
    pub run: String,
    /// The stage that could not go on.
    pub stage: String,
    /// The short reason.
    pub reason: String,
    /// What failed.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// When, milliseconds since 1970.
    pub at: i64,
}

impl ParkedItem {
    /// All parked items, of one pipeline or of all, newest first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn all(read: &Read<'_>, pipeline: Option<&str>) -> Result<Vec<Self>> {
        read.all(
            "SELECT p.name, k.key, r.id, k.stage, k.reason, k.message, k.help, k.at
               FROM tm_parked k JOIN tm_pipelines p USING (pipeline_no) JOIN tm_runs r USING (run_no)
              WHERE ?1 IS NULL OR p.name = ?1 ORDER BY k.at DESC, k.key",
            params![pipeline],
            |row| {
                Ok(Self {
                    pipeline: row.get(0)?,
                    key: row.get(1)?,
                    run: row.get(2)?,
                    stage: row.get(3)?,
                    reason: row.get(4)?,
                    message: row.get(5)?,
                    help: row.get(6)?,
                    at: row.get(7)?,
                })
            },
        )
    }
}

/// Where the run's items ended, over all its attempts, and why some did not get through.
pub(crate) fn ends(read: &Read<'_>, run_no: i64) -> Result<(Counts, Vec<(String, u64)>)> {
    let states = read.all(
        "SELECT state, count(*) FROM tm_items WHERE run_no = ?1 GROUP BY state",
        params![run_no],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?)),
    )?;
    let of = |state: ItemState| {
        states.iter().find(|(code, _)| *code == state.code()).map_or(0, |(_, count)| *count)
    };
    let seen = "SELECT count(*) FROM tm_observations WHERE run_no = ?1";
    let counts = Counts {
        done: of(ItemState::Done),
        unchanged: read.one(seen, params![run_no], |row| row.get(0))?.unwrap_or(0),
        waiting: of(ItemState::Waiting),
        parked: of(ItemState::Parked),
    };
    let reasons = read.all(
        "SELECT reason, count(*) FROM tm_items WHERE run_no = ?1 AND reason IS NOT NULL
          GROUP BY reason ORDER BY reason",
        params![run_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok((counts, reasons))
}
