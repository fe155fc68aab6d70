//! Call memory: answers that were paid for, kept across runs.

use super::{Read, Tx};
use crate::{Fingerprint, Result};
use rusqlite::params;

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
