//! Pipelines the mill has met: their numbers, plans, choices, archives and tables.

use super::{Read, Tx};
use crate::{Fingerprint, Result};
use rusqlite::params;

/// A pipeline as the ledger knows it.
#[derive(Debug, Clone)]
pub struct PipelineRow {
    /// Its number in the ledger.
    pub no: i64,
    /// Its name.
    pub name: String,
    /// Where its runs go and how long they stay, as JSON.
    pub archive: Option<String>,
    /// Its published tables.
    pub tables: Vec<String>,
}

impl PipelineRow {
    /// All pipelines, by name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn all(read: &Read<'_>) -> Result<Vec<Self>> {
        read.all(
            "SELECT pipeline_no, name, archive, tables FROM tm_pipelines ORDER BY name",
            [],
            |row| {
                let tables: String = row.get(3)?;
                Ok(Self {
                    no: row.get(0)?,
                    name: row.get(1)?,
                    archive: row.get(2)?,
                    tables: serde_json::from_str(&tables).unwrap_or_default(),
                })
            },
        )
    }
}

/// The number of a pipeline, made when it is new; its archive and tables are kept as said.
pub(crate) fn enrol(
    tx: &Tx<'_>,
    name: &str,
    archive: Option<&str>,
    tables: &[String],
) -> Result<i64> {
    tx.execute(
        "INSERT INTO tm_pipelines (name, archive, tables) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET archive = ?2, tables = ?3",
        params![name, archive, serde_json::to_string(tables)?],
    )?;
    number(tx, name)
}

/// The number of a pipeline, made when it is new; what is known of it stays as it is.
pub(crate) fn number(tx: &Tx<'_>, name: &str) -> Result<i64> {
    tx.execute("INSERT OR IGNORE INTO tm_pipelines (name) VALUES (?1)", params![name])?;
    let sql = "SELECT pipeline_no FROM tm_pipelines WHERE name = ?1";
    Ok(tx.one(sql, params![name], |row| row.get(0))?.unwrap_or_default())
}

/// The number of a pipeline, if the mill has met it.
pub(crate) fn known_number(read: &Read<'_>, name: &str) -> Result<Option<i64>> {
    let sql = "SELECT pipeline_no FROM tm_pipelines WHERE name = ?1";
    read.one(sql, params![name], |row| row.get(0))
}

/// The number of a plan, made when the chain is new.
pub(crate) fn plan_no(
    tx: &Tx<'_>,
    pipeline_no: i64,
    hash: &Fingerprint,
    body: &str,
) -> Result<i64> {
    tx.execute(
        "INSERT OR IGNORE INTO tm_plans (pipeline_no, hash, body) VALUES (?1, ?2, ?3)",
        params![pipeline_no, hash.as_bytes(), body],
    )?;
    let sql = "SELECT plan_no FROM tm_plans WHERE pipeline_no = ?1 AND hash = ?2";
    Ok(tx.one(sql, params![pipeline_no, hash.as_bytes()], |row| row.get(0))?.unwrap_or_default())
}

/// What a pipeline chose once and keeps.
#[derive(Debug)]
pub struct Choices;

impl Choices {
    /// What was chosen under this name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn get(read: &Read<'_>, pipeline_no: i64, name: &str) -> Result<Option<String>> {
        let sql = "SELECT value FROM tm_choices WHERE pipeline_no = ?1 AND name = ?2";
        read.one(sql, params![pipeline_no, name], |row| row.get(0))
    }

    /// Keeps a choice until it is changed.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn set(tx: &Tx<'_>, pipeline_no: i64, name: &str, value: &str) -> Result<()> {
        let sql = "INSERT INTO tm_choices VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3";
        tx.execute(sql, params![pipeline_no, name, value]).map(|_| ())
    }
}
