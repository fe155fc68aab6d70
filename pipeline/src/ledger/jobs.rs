//! Jobs that the home remembers, for people who write no program.

use super::{Choices, Read, Tx, pipelines};
use crate::Result;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job that the home remembers. What its body means, the program knows that made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobRow {
    /// Its pipeline's name.
    pub pipeline: String,
    /// What kind of job it is: `digest`.
    pub kind: String,
    /// What it is made from.
    pub body: Value,
    /// An archive other than the usual one.
    pub archive: Option<String>,
}

impl JobRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            pipeline: row.get(0)?,
            kind: row.get(1)?,
            body: super::tx::json(row, 2)?,
            archive: row.get(3)?,
        })
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn all(read: &Read<'_>) -> Result<Vec<Self>> {
        let sql = "SELECT pipeline, kind, body, archive FROM tm_jobs ORDER BY pipeline";
        read.all(sql, [], Self::from_row)
    }

    /// The job of this name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn of(read: &Read<'_>, pipeline: &str) -> Result<Option<Self>> {
        let sql = "SELECT pipeline, kind, body, archive FROM tm_jobs WHERE pipeline = ?1";
        read.one(sql, [pipeline], Self::from_row)
    }

    /// What this pipeline was when it was run by hand last, where somebody kept that.
    ///
    /// # Errors
    /// When the ledger refuses, or what was kept has another shape.
    pub fn by_hand(read: &Read<'_>, pipeline: &str) -> Result<Option<Self>> {
        let Some(no) = pipelines::known_number(read, pipeline)? else { return Ok(None) };
        let kept = Choices::get(read, no, BY_HAND)?;
        Ok(kept.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Keeps it, so that a pipeline without a program can be replayed.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn keep_by_hand(&self, tx: &Tx<'_>) -> Result<()> {
        let no = pipelines::number(tx, &self.pipeline)?;
        Choices::set(tx, no, BY_HAND, &serde_json::to_string(self)?)
    }
}

/// Under this name a pipeline keeps what it was when it was run by hand last.
const BY_HAND: &str = "by hand";

/// Remembers a job, in place of the one that has its name.
pub(crate) fn remember(tx: &Tx<'_>, job: &JobRow, now: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO tm_jobs (pipeline, kind, body, archive, made_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (pipeline) DO UPDATE SET kind = ?2, body = ?3, archive = ?4, made_at = ?5",
        params![job.pipeline, job.kind, job.body.to_string(), job.archive, now],
    )
    .map(|_| ())
}

/// Forgets a job; true when there was one.
pub(crate) fn forget(tx: &Tx<'_>, pipeline: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM tm_jobs WHERE pipeline = ?1", [pipeline])? > 0)
}
