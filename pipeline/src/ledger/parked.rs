//! Parked items: the list that a person works through, and what may be done with an entry.

use super::{Read, Tx};
use crate::Result;
use rusqlite::{Row, params};
use serde::Serialize;

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
    /// The item as the source yielded it; `None` when the source could not read it.
    pub item: Option<serde_json::Value>,
    /// The dataset, when a replay parked it: only another replay takes it again.
    pub replayed_from: Option<String>,
    #[serde(skip)]
    place: Place,
}

/// Where an item's row is.
#[derive(Debug, Clone, Copy)]
struct Place {
    pipeline_no: i64,
    run_no: i64,
    seq: u64,
}

/// Which parked items are meant; what is `None` is not asked for.
#[derive(Debug, Clone, Default, Serialize, serde::Deserialize)]
pub struct ParkedFilter {
    /// The pipeline's name.
    pub pipeline: Option<String>,
    /// The short reason.
    pub reason: Option<String>,
    /// The stage that could not go on.
    pub stage: Option<String>,
    /// The run that parked it.
    pub run: Option<String>,
    /// The item's key.
    pub key: Option<String>,
}

impl ParkedItem {
    /// The parked items that are meant, newest first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn all(read: &Read<'_>, filter: &ParkedFilter) -> Result<Vec<Self>> {
        read.all(
            "SELECT p.name, k.key, r.id, k.stage, k.reason, k.message, k.help, k.at, i.item,
                    k.pipeline_no, k.run_no, k.seq, r.replay ->> 'from'
               FROM tm_parked_now k JOIN tm_pipelines p USING (pipeline_no)
               JOIN tm_runs r ON r.run_no = k.run_no
               LEFT JOIN tm_items i ON i.run_no = k.run_no AND i.seq = k.seq
              WHERE (?1 IS NULL OR p.name = ?1) AND (?2 IS NULL OR k.reason = ?2)
                AND (?3 IS NULL OR k.stage = ?3) AND (?4 IS NULL OR r.id = ?4)
                AND (?5 IS NULL OR k.key = ?5) ORDER BY k.at DESC, k.key",
            params![filter.pipeline, filter.reason, filter.stage, filter.run, filter.key],
            Self::from_row,
        )
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let item: Option<Vec<u8>> = row.get(8)?;
        Ok(Self {
            pipeline: row.get(0)?,
            key: row.get(1)?,
            run: row.get(2)?,
            stage: row.get(3)?,
            reason: row.get(4)?,
            message: row.get(5)?,
            help: row.get(6)?,
            at: row.get(7)?,
            item: item.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            replayed_from: row.get(12)?,
            place: Place { pipeline_no: row.get(9)?, run_no: row.get(10)?, seq: row.get(11)? },
        })
    }
}

/// Takes the items off the list, to be tried again: the next run takes them with what
/// waits. What a source
/// could not read it tries again by itself.
pub(crate) fn retry(tx: &Tx<'_>, items: &[ParkedItem]) -> Result<()> {
    for ParkedItem { key, place, .. } in items {
        tx.execute(
            "UPDATE tm_items SET state = 2, taken_by = NULL
              WHERE run_no = ?1 AND seq = ?2 AND state = 3 AND item IS NOT NULL",
            params![place.run_no, place.seq],
        )?;
        unlist(tx, place.pipeline_no, key)?;
        tx.execute(
            "DELETE FROM tm_dropped WHERE pipeline_no = ?1 AND key = ?2",
            params![place.pipeline_no, key],
        )?;
    }
    Ok(())
}

/// Takes the items off the list for good: one that comes again and fails for the same reason is
/// not listed any more.
pub(crate) fn drop(tx: &Tx<'_>, items: &[ParkedItem]) -> Result<()> {
    for ParkedItem { key, place, reason, .. } in items {
        unlist(tx, place.pipeline_no, key)?;
        tx.execute(
            "INSERT OR REPLACE INTO tm_dropped VALUES (?1, ?2, ?3)",
            params![place.pipeline_no, key, reason],
        )?;
    }
    Ok(())
}

/// The keys that were dropped, each with the reason it had.
pub(crate) fn dropped(read: &Read<'_>, pipeline_no: i64) -> Result<Vec<(String, String)>> {
    let sql = "SELECT key, reason FROM tm_dropped WHERE pipeline_no = ?1";
    read.all(sql, params![pipeline_no], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn unlist(tx: &Tx<'_>, pipeline_no: i64, key: &str) -> Result<()> {
    let sql = "DELETE FROM tm_parked WHERE pipeline_no = ?1 AND key = ?2";
    tx.execute(sql, params![pipeline_no, key]).map(|_| ())
}
