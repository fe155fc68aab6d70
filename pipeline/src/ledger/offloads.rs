//! The journal of files on their way from scratch to an archive, and the archives a mill has met.

use super::{Read, Tx};
use crate::Result;
use rusqlite::params;
use serde::Serialize;

/// How far a run's files of one dataset are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OffloadState {
    /// On scratch only.
    Sealed,
    /// The copy is under way, or waits for the archive.
    Planned,
    /// In the archive, read back and compared; still on scratch too.
    Committed,
    /// The scratch copy is being taken away.
    Retiring,
    /// In the archive; the scratch copy waits in the trash until the archive was read once more.
    Retired,
    /// In the archive only.
    Done,
    /// Taken out of the archive by retention.
    Pruned,
}

impl OffloadState {
    fn as_str(self) -> &'static str {
        match self {
            OffloadState::Sealed => "sealed",
            OffloadState::Planned => "planned",
            OffloadState::Committed => "committed",
            OffloadState::Retiring => "retiring",
            OffloadState::Retired => "retired",
            OffloadState::Done => "done",
            OffloadState::Pruned => "pruned",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "planned" => OffloadState::Planned,
            "committed" => OffloadState::Committed,
            "retiring" => OffloadState::Retiring,
            "retired" => OffloadState::Retired,
            "done" => OffloadState::Done,
            "pruned" => OffloadState::Pruned,
            _ => OffloadState::Sealed,
        }
    }
}

/// A run's files of one dataset on their way.
#[derive(Debug, Clone, Serialize)]
pub struct OffloadRow {
    /// The run's number.
    #[serde(skip)]
    pub run_no: i64,
    /// The run's id.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's local date.
    pub dt: String,
    /// The run's nominal local time.
    pub scheduled_for: String,
    /// When the run began, milliseconds since 1970.
    #[serde(skip)]
    pub started_at: i64,
    /// The dataset.
    pub dataset: String,
    /// How far it is.
    pub state: OffloadState,
    /// The archive's id, once planned.
    pub archive: Option<String>,
    /// Where the archive is mounted, once planned.
    pub root: Option<String>,
    /// The folder in the archive, once committed.
    pub folder: Option<String>,
    /// Bytes in the archive.
    pub bytes: u64,
    /// Files in the archive.
    pub files: u64,
    /// Why it waits.
    pub note: Option<String>,
}

impl OffloadRow {
    fn select(read: &Read<'_>, filter: &str, params: impl rusqlite::Params) -> Result<Vec<Self>> {
        let sql = format!(
            "SELECT o.run_no, r.id, p.name, r.dt, o.dataset, o.state, o.archive, o.root, o.folder,
                    o.bytes, o.files, o.note, r.scheduled_for, r.started_at
               FROM tm_offloads o JOIN tm_runs r USING (run_no) JOIN tm_pipelines p USING (pipeline_no)
              WHERE {filter} ORDER BY o.run_no, o.dataset"
        );
        read.all(&sql, params, |row| {
            let state: String = row.get(5)?;
            Ok(Self {
                run_no: row.get(0)?,
                run: row.get(1)?,
                pipeline: row.get(2)?,
                dt: row.get(3)?,
                dataset: row.get(4)?,
                state: OffloadState::parse(&state),
                archive: row.get(6)?,
                root: row.get(7)?,
                folder: row.get(8)?,
                bytes: row.get(9)?,
                files: row.get(10)?,
                note: row.get(11)?,
                scheduled_for: row.get(12)?,
                started_at: row.get(13)?,
            })
        })
    }

    /// Everything that is not in an archive yet, oldest run first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn under_way(read: &Read<'_>, pipeline: Option<&str>) -> Result<Vec<Self>> {
        let filter = "o.state NOT IN ('done', 'pruned') AND (?1 IS NULL OR p.name = ?1)";
        Self::select(read, filter, params![pipeline])
    }

    /// Everything that is in an archive (in any, or in the one with this id), oldest run first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn archived(read: &Read<'_>, pipeline: &str, archive: Option<&str>) -> Result<Vec<Self>> {
        let filter =
            "o.state IN ('retired', 'done') AND p.name = ?1 AND (?2 IS NULL OR o.archive = ?2)";
        Self::select(read, filter, params![pipeline, archive])
    }

    /// Everything of one run.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn of_run(read: &Read<'_>, run: &str) -> Result<Vec<Self>> {
        Self::select(read, "r.id = ?1", params![run])
    }
}

/// The names of a run's files of one dataset.
pub(crate) fn files(read: &Read<'_>, run_no: i64, dataset: &str) -> Result<Vec<String>> {
    let sql = "SELECT name FROM tm_artifacts WHERE run_no = ?1 AND dataset = ?2 ORDER BY name";
    read.all(sql, params![run_no, dataset], |row| row.get(0))
}

/// Adds one file that was made after the publish.
pub(crate) fn add(tx: &Tx<'_>, run_no: i64, dataset: &str, name: &str) -> Result<()> {
    tx.execute(
        "INSERT OR IGNORE INTO tm_artifacts VALUES (?1, ?2, ?3)",
        params![run_no, dataset, name],
    )?;
    tx.execute(
        "INSERT OR IGNORE INTO tm_offloads (run_no, dataset, state) VALUES (?1, ?2, 'sealed')",
        params![run_no, dataset],
    )?;
    Ok(())
}

/// Moves the journal on; what is `None` stays as it is.
pub(crate) fn advance(
    tx: &Tx<'_>,
    row: &OffloadRow,
    state: OffloadState,
    note: Option<&str>,
) -> Result<()> {
    tx.execute(
        "UPDATE tm_offloads SET state = ?3, archive = coalesce(?4, archive), root = coalesce(?5, root),
                folder = coalesce(?6, folder), bytes = ?7, files = ?8, note = ?9
          WHERE run_no = ?1 AND dataset = ?2",
        params![
            row.run_no,
            row.dataset,
            state.as_str(),
            row.archive,
            row.root,
            row.folder,
            row.bytes,
            row.files,
            note
        ],
    )
    .map(|_| ())
}

/// Says why a row waits; how far it came stays as it is.
pub(crate) fn note(tx: &Tx<'_>, run_no: i64, dataset: &str, why: &str) -> Result<()> {
    let sql = "UPDATE tm_offloads SET note = ?3 WHERE run_no = ?1 AND dataset = ?2";
    tx.execute(sql, params![run_no, dataset, why]).map(|_| ())
}

/// The id of the archive that this mill knows at a place.
///
/// # Errors
/// When the ledger refuses.
pub fn known_archive(read: &Read<'_>, root: &str) -> Result<Option<String>> {
    read.one("SELECT id FROM tm_archives WHERE root = ?1", params![root], |row| row.get(0))
}

/// Keeps which archive is at a place.
pub(crate) fn meet_archive(
    tx: &Tx<'_>,
    root: &str,
    id: &str,
    label: Option<&str>,
    now: i64,
) -> Result<()> {
    tx.execute(
        "INSERT INTO tm_archives VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET id = ?2, label = ?3, seen_at = ?4",
        params![root, id, label, now],
    )
    .map(|_| ())
}

/// Notes that a run refers to bodies of an earlier run.
pub(crate) fn refer(tx: &Tx<'_>, run_no: i64, dataset: &str, run: &str) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO tm_references VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![run_no, dataset, run]).map(|_| ())
}

/// The runs of a dataset whose bodies a later run of the archive refers to, as (run, by run).
pub(crate) fn references(read: &Read<'_>, pipeline: &str) -> Result<Vec<(String, String, String)>> {
    read.all(
        "SELECT f.dataset, f.run, r.id FROM tm_references f JOIN tm_runs r USING (run_no)
           JOIN tm_pipelines p USING (pipeline_no) WHERE p.name = ?1",
        params![pipeline],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}
