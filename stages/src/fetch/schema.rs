//! The fetcher's own tables in the ledger: what became of each URL, and how far each WARC part is.

use super::page::Page;
use super::visit::Note;
use tidemill_pipeline::ledger::{Ledger, Read, Tx, params};
use tidemill_pipeline::{Error, Result};

const SCRIPTS: &[&str] = &["
CREATE TABLE tm_fetch_urls (
  run_no  INTEGER NOT NULL,
  url     TEXT NOT NULL,
  outcome TEXT NOT NULL,      -- fetched, not_modified, unchanged, robots_denied, http_404, …
  detail  TEXT,               -- the decision in words
  page    TEXT,               -- JSON of the page, when there is a body
  note    TEXT,               -- JSON of the validators
  at      INTEGER NOT NULL,
  PRIMARY KEY (run_no, url)
) STRICT, WITHOUT ROWID;
CREATE TABLE tm_fetch_parts (
  run_no        INTEGER NOT NULL,
  part          INTEGER NOT NULL,
  committed_end INTEGER NOT NULL,
  PRIMARY KEY (run_no, part)
) STRICT, WITHOUT ROWID;
"];

/// Makes the tables, or brings them to this version.
pub(super) async fn ensure(ledger: &Ledger) -> Result<()> {
    ledger.schema("fetch", SCRIPTS).await
}

/// What became of a URL in this run.
#[derive(Debug, Clone)]
pub(super) struct UrlRow {
    pub(super) run_no: i64,
    pub(super) url: String,
    pub(super) outcome: String,
    pub(super) detail: Option<String>,
    pub(super) page: Option<Page>,
    pub(super) note: Option<Note>,
    pub(super) at: i64,
}

impl UrlRow {
    pub(super) fn write(&self, tx: &Tx<'_>) -> Result<()> {
        let page = self.page.as_ref().map(serde_json::to_string).transpose()?;
        let note = self.note.as_ref().map(serde_json::to_string).transpose()?;
        tx.execute(
            "INSERT OR REPLACE INTO tm_fetch_urls VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![self.run_no, self.url, self.outcome, self.detail, page, note, self.at],
        )
        .map(|_| ())
    }
}

/// What this run has already got of a URL.
#[derive(Debug)]
pub(super) enum Had {
    Page(Box<(Page, Note)>),
    Unchanged,
}

/// Looks up what this run has already got of a URL: then there is no need to ask again.
pub(super) fn had(read: &Read<'_>, run_no: i64, url: &str) -> Result<Option<Had>> {
    let row = read.one(
        "SELECT outcome, page, note FROM tm_fetch_urls WHERE run_no = ?1 AND url = ?2",
        params![run_no, url],
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, Option<String>>(1)?,
                row.get::<_, Option<String>>(2)?,
            ))
        },
    )?;
    let Some((outcome, page, note)) = row else { return Ok(None) };
    match (outcome.as_str(), page, note) {
        ("fetched" | "imported", Some(page), Some(note)) => {
            let page = serde_json::from_str(&page).map_err(shape)?;
            let note = serde_json::from_str(&note).map_err(shape)?;
            Ok(Some(Had::Page(Box::new((page, note)))))
        }
        ("not_modified" | "unchanged", _, _) => Ok(Some(Had::Unchanged)),
        _ => Ok(None), // it failed before: ask again
    }
}

fn shape(error: serde_json::Error) -> Error {
    Error::halt("a fetched page in the ledger has another shape now").caused_by(error)
}

/// How far a part is committed.
pub(super) fn committed_end(read: &Read<'_>, run_no: i64, part: u32) -> Result<u64> {
    let sql = "SELECT committed_end FROM tm_fetch_parts WHERE run_no = ?1 AND part = ?2";
    Ok(read.one(sql, params![run_no, part], |row| row.get(0))?.unwrap_or(0))
}

/// The parts of a run, in order.
pub(super) fn parts(read: &Read<'_>, run_no: i64) -> Result<Vec<u32>> {
    let sql = "SELECT part FROM tm_fetch_parts WHERE run_no = ?1 ORDER BY part";
    read.all(sql, params![run_no], |row| row.get(0))
}

/// Commits a part up to here.
pub(super) fn set_committed_end(tx: &Tx<'_>, run_no: i64, part: u32, end: u64) -> Result<()> {
    tx.execute(
        "INSERT INTO tm_fetch_parts VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET committed_end = max(committed_end, ?3)",
        params![run_no, part, end],
    )
    .map(|_| ())
}
