//! Call memory: answers that were paid for, kept across runs, within an age and a size.

use super::{Read, Tx};
use crate::{Fingerprint, Result};
use rusqlite::params;
use std::time::Duration;

/// How long and how much of call memory is kept; oldest answers go first.
#[derive(Debug, Clone, Copy)]
pub struct CallCap {
    /// Answers older than this go.
    pub age: Duration,
    /// Answers beyond this many bytes go.
    pub bytes: u64,
}

impl Default for CallCap {
    /// Two years, four gigabytes.
    fn default() -> Self {
        Self { age: Duration::from_secs(2 * 365 * 24 * 3600), bytes: 4 << 30 }
    }
}

/// The journaled answer of a call, if there is one.
pub(crate) fn recall(read: &Read<'_>, key: &Fingerprint) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT answer FROM tm_calls WHERE key = ?1";
    read.one(sql, params![key.as_bytes()], |row| row.get(0))
}

/// Journals an answer.
pub(crate) fn keep(
    tx: &Tx<'_>,
    key: &Fingerprint,
    answer: &[u8],
    run_no: i64,
    now: i64,
    ms: i64,
) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO tm_calls VALUES (?1, ?2, ?3, ?4, ?5)",
        params![key.as_bytes(), answer, run_no, now, ms],
    )
    .map(|_| ())
}

/// Forgets answers beyond the cap, at most `most` at once; those of runs that are not published yet
/// stay. Returns how many went.
pub(crate) fn cap(tx: &Tx<'_>, cap: &CallCap, now: i64, most: u32) -> Result<usize> {
    let oldest = now.saturating_sub(i64::try_from(cap.age.as_millis()).unwrap_or(i64::MAX));
    let open = "run_no NOT IN (SELECT run_no FROM tm_runs WHERE state IN ('running', 'interrupted', 'halted'))";
    let aged = tx.execute(
        &format!(
            "DELETE FROM tm_calls WHERE key IN
               (SELECT key FROM tm_calls WHERE made_at < ?1 AND {open} ORDER BY made_at LIMIT ?2)"
        ),
        params![oldest, most],
    )?;
    if aged > 0 || is_within(tx, cap.bytes)? {
        return Ok(aged);
    }
    // The newest answers that fit stay.
    tx.execute(
        &format!(
            "DELETE FROM tm_calls WHERE key IN
               (SELECT key FROM (SELECT key, run_no, made_at,
                         sum(length(answer)) OVER (ORDER BY made_at DESC, key) AS sum FROM tm_calls)
                 WHERE sum > ?1 AND {open} ORDER BY made_at LIMIT ?2)"
        ),
        params![i64::try_from(cap.bytes).unwrap_or(i64::MAX), most],
    )
}

/// Whether all answers fit. The file's size is asked first: it is known without a look at them.
fn is_within(read: &Read<'_>, bytes: u64) -> Result<bool> {
    let file = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    if read.one(file, [], |row| row.get::<_, u64>(0))?.unwrap_or(0) <= bytes {
        return Ok(true);
    }
    let sum = "SELECT coalesce(sum(length(answer)), 0) FROM tm_calls";
    Ok(read.one(sum, [], |row| row.get::<_, u64>(0))?.unwrap_or(0) <= bytes)
}
