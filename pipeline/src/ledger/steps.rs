//! Run memory: what each remembered step answered within its run.

use super::{Read, Tx};
use crate::{Fingerprint, Result};
use rusqlite::params;

/// Which answer: a step's, for one item of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepKey {
    pub(crate) run_no: i64,
    pub(crate) seq: u64,
    pub(crate) stage_no: usize,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) input: Fingerprint,
}

/// The remembered answer, if step and input are still the same.
pub(crate) fn recall(read: &Read<'_>, key: &StepKey) -> Result<Option<Vec<u8>>> {
    read.one(
        "SELECT output FROM tm_steps WHERE run_no = ?1 AND seq = ?2 AND stage_no = ?3
            AND fingerprint = ?4 AND input = ?5",
        params![
            key.run_no,
            key.seq,
            key.stage_no as i64,
            key.fingerprint.as_bytes(),
            key.input.as_bytes()
        ],
        |row| row.get(0),
    )
}

/// Remembers an answer.
pub(crate) fn keep(tx: &Tx<'_>, key: &StepKey, output: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO tm_steps VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            key.run_no,
            key.seq,
            key.stage_no as i64,
            key.fingerprint.as_bytes(),
            key.input.as_bytes(),
            output
        ],
    )
    .map(|_| ())
}
