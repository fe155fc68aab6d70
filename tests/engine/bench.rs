//! A mill in a folder of its own with a clock that tests turn, and a look into its database.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{TimeDelta, TimeZone, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidemill_pipeline::clock::{Clock, ManualClock, Zone};
use tidemill_pipeline::ledger::{ParkedFilter, ParkedItem};
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::{RunOptions, RunReport, Stop};
use tidemill_pipeline::{Job, Result};
use tokio::task::JoinHandle;

/// A mill whose folder goes when the test ends.
pub(super) struct Bench {
    home: Arc<Home>,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Utc.with_ymd_and_hms(2026, 1, 1, 6, 0, 0).unwrap()));
        let home = open(&folder.path().join("mill"), &clock).unwrap();
        Self { home, clock, folder }
    }

    /// A folder beside the home.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Lets a day pass, then runs the job.
    pub(super) async fn run(&self, job: impl Into<Job>) -> Result<RunReport> {
        soon(self.start(job, &Stop::default())).await.unwrap()
    }

    /// Lets a day pass, then starts the job on a task of its own.
    pub(super) fn start(&self, job: impl Into<Job>, stop: &Stop) -> JoinHandle<Result<RunReport>> {
        self.clock.set(self.clock.now() + TimeDelta::days(1));
        let (home, job) = (Arc::clone(&self.home), job.into());
        let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        tokio::spawn(async move { home.run(&job, options).await })
    }

    /// The rows that a query on a connection of its own yields, each as `a|b|c`.
    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        rows(self.home.ledger().path(), sql)
    }

    pub(super) fn parked(&self) -> Vec<ParkedItem> {
        self.home.ledger().read_now(|read| ParkedItem::all(read, &ParkedFilter::default())).unwrap()
    }

    /// The files on scratch, by path below it.
    pub(super) fn scratch(&self) -> Vec<PathBuf> {
        files(&self.home.scratch().root)
    }
}

/// Opens a home as its owner, in UTC.
pub(super) fn open(root: &Path, clock: &Arc<ManualClock>) -> Result<Arc<Home>> {
    let clock: Arc<dyn Clock> = clock.clone();
    let zone = Zone::named("UTC").unwrap();
    Home::open(root, HomeOptions { clock, zone, ..HomeOptions::owner() }).map(Arc::new)
}

/// Waits for what must happen; the limit only turns a hang into a failure.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.unwrap()
}

/// The rows that a query on a file yields, each as `a|b|c`.
pub(super) fn rows(file: &Path, sql: &str) -> Vec<String> {
    let file = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut statement = file.prepare(sql).unwrap();
    let columns = statement.column_count();
    let shown = statement.query_map([], |row| (0..columns).map(|n| shown(row, n)).collect());
    shown.unwrap().map(|row: rusqlite::Result<Vec<_>>| row.unwrap().join("|")).collect()
}

fn shown(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(n) => n.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into(),
    })
}

/// All files below a folder, by path below it; none when it is not there.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// Where a run's items ended: done, unchanged, waiting, parked.
pub(super) fn ends(report: &RunReport) -> [u64; 4] {
    let items = report.items;
    [items.done, items.unchanged, items.waiting, items.parked]
}
