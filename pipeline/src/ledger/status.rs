//! What a person wants to know of a pipeline at a glance.

use super::Read;
use crate::Result;
use rusqlite::params;
use serde::Serialize;

/// A pipeline at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineStatus {
    /// Its name.
    pub pipeline: String,
    /// Keys that item memory knows.
    pub known: u64,
    /// Of these, keys that were done by an older chain of steps: another prompt, model or version.
    pub stale: u64,
    /// Items that wait and are taken first by the next run.
    pub waiting: u64,
    /// Items that were set aside.
    pub parked: u64,
    /// Bytes in the archive.
    pub archived_bytes: u64,
}

impl PipelineStatus {
    /// How many items of a pipeline are parked now.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub(crate) fn parked_of(read: &Read<'_>, pipeline: &str) -> Result<u64> {
        let sql = "SELECT count(*) FROM tm_parked_now JOIN tm_pipelines USING (pipeline_no) WHERE name = ?1";
        Ok(read.one(sql, params![pipeline], |row| row.get(0))?.unwrap_or(0))
    }

    /// All pipelines, by name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn all(read: &Read<'_>) -> Result<Vec<Self>> {
        let count = |sql: &str, no: i64| -> Result<u64> {
            Ok(read.one(sql, params![no], |row| row.get(0))?.unwrap_or(0))
        };
        let pipelines =
            read.all("SELECT pipeline_no, name FROM tm_pipelines ORDER BY name", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
        pipelines
            .into_iter()
            .map(|(no, pipeline)| {
                Ok(Self {
                    pipeline,
                    known: count("SELECT count(DISTINCT key) FROM tm_memory WHERE pipeline_no = ?1", no)?,
                    stale: count(
                        "SELECT count(*) FROM
                           (SELECT m.plan_no, m.outcome, max(m.run_no) FROM tm_memory m JOIN tm_runs r USING (run_no)
                             WHERE m.pipeline_no = ?1 AND r.state IN ('published', 'finished') GROUP BY m.key)
                         WHERE outcome = 1 AND plan_no <>
                           (SELECT plan_no FROM tm_runs WHERE pipeline_no = ?1 AND state NOT IN ('trial', 'abandoned')
                             ORDER BY run_no DESC LIMIT 1)",
                        no,
                    )?,
                    waiting: count(
                        "SELECT count(*) FROM tm_waiting_now WHERE pipeline_no = ?1",
                        no,
                    )?,
                    parked: count("SELECT count(*) FROM tm_parked_now WHERE pipeline_no = ?1", no)?,
                    archived_bytes: count(
                        "SELECT coalesce(sum(o.bytes), 0) FROM tm_offloads o JOIN tm_runs r USING (run_no)
                          WHERE o.state IN ('retired', 'done') AND r.pipeline_no = ?1",
                        no,
                    )?,
                })
            })
            .collect()
    }
}
