//! A rig that unwraps, and waits for what must happen no longer than it must.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::TimeDelta;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::clock::{Clock, ManualClock, Zone};
use tidemill_pipeline::ledger::{CallCap, ParkedFilter, ParkedItem};
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::{Event, Progress, RunOptions, RunReport, Stop};
use tidemill_pipeline::testing::{self, Rig};
use tidemill_pipeline::{Job, Result};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// A mill whose folder goes when the test ends.
pub(super) struct Bench {
    home: Arc<Home>,
    clock: Arc<ManualClock>,
    rig: Rig,
}

impl Bench {
    pub(super) fn new() -> Self {
        let rig = Rig::new().unwrap();
        Self { home: Arc::clone(rig.home()), clock: Arc::clone(rig.clock()), rig }
    }

    /// With a cap on call memory: its age in seconds, its size in bytes.
    pub(super) fn with_calls(age: u64, bytes: u64) -> Self {
        let bench = Self::new();
        let clock: Arc<dyn Clock> = bench.clock.clone();
        let calls = CallCap { age: Duration::from_secs(age), bytes };
        let options = HomeOptions { clock, calls, ..HomeOptions::owner() };
        let home = Home::open(&bench.beside("capped"), options).unwrap();
        Self { home: Arc::new(home), ..bench }
    }

    /// A folder beside the home.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.rig.folder().canonicalize().unwrap().join(name)
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Lets a day pass, then runs the job.
    pub(super) async fn run(&self, job: impl Into<Job>) -> Result<RunReport> {
        soon(self.start(job, &Stop::default())).await.unwrap()
    }

    /// As [`run`](Bench::run), with options.
    pub(super) async fn run_with(
        &self,
        job: impl Into<Job>,
        options: RunOptions,
    ) -> Result<RunReport> {
        self.turn_clock(TimeDelta::days(1));
        let job = job.into();
        soon(self.home.run(&job, options)).await
    }

    /// Turns the clock.
    pub(super) fn turn_clock(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// Lets a day pass, then starts the job on a task of its own.
    pub(super) fn start(&self, job: impl Into<Job>, stop: &Stop) -> JoinHandle<Result<RunReport>> {
        self.turn_clock(TimeDelta::days(1));
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

/// Progress that hands on what the run says to the person.
#[derive(Debug)]
pub(super) struct Told(pub(super) UnboundedSender<String>);

impl Progress for Told {
    fn event(&self, event: &Event<'_>) {
        if let Event::Said(line) = event {
            // Nobody may listen any more.
            let _ = self.0.send((*line).to_string());
        }
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
    testing::rows(file, sql).unwrap()
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
