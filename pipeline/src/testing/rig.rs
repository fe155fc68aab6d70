//! The rig: a mill in a temporary folder, with a clock that only the test turns.

use super::rows::rows;
use crate::clock::{Clock, ManualClock, Zone};
use crate::mill::{Home, HomeOptions};
use crate::run::{RunOptions, RunReport};
use crate::{Error, Job, Result, ResultExt};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tempfile::TempDir;

/// When every rig begins.
const BEGIN: &str = "2026-01-01T06:00:00Z";

/// A mill for one test: its folder goes when the rig does.
///
/// The clock stands at 2026-01-01 06:00 UTC and is turned by [`run`](Rig::run), by the test, and
/// by every [`Context::sleep`](crate::Context::sleep), which returns at once: no test waits.
///
/// ```
/// use tidemill_pipeline::testing::{Lines, Rig};
/// use tidemill_pipeline::{Pipeline, Result};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let rig = Rig::new()?;
/// for unchanged in [0, 2] {
///     let report = rig.run(Pipeline::named("tides").read(Lines::of(["ebb", "flow"]))).await?;
///     assert_eq!(report.items.unchanged, unchanged);
/// }
/// assert_eq!(rig.rows("SELECT id, dt FROM tm_runs LIMIT 1")?[0].len(), 23 + 1 + 10);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Rig {
    // Before the folder: fields are dropped in this order.
    home: Arc<Home>,
    clock: Arc<ManualClock>,
    numbers: AtomicU64,
    folder: TempDir,
}

impl Rig {
    /// A new mill in a folder of its own.
    ///
    /// # Errors
    /// When there is no temporary folder, or it cannot hold a ledger.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().or_halt().doing("a folder for the rig")?;
        let begin: DateTime<Utc> = BEGIN.parse()?;
        let clock = Arc::new(ManualClock::at(begin));
        let shared: Arc<dyn Clock> = clock.clone();
        let utc = Zone::named("UTC");
        let zone = utc.ok_or_else(|| Error::halt("there is no time zone `UTC`"))?;
        // Nothing in a rig is worth keeping: its folder may lie wherever tests are run.
        let options =
            HomeOptions { clock: shared, zone, any_file_system: true, ..HomeOptions::owner() };
        let home = Arc::new(Home::open(&folder.path().join("mill"), options)?);
        Ok(Self { home, clock, numbers: AtomicU64::new(1), folder })
    }

    /// The mill's home.
    #[must_use]
    pub fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// The rig's folder. The home is `mill` in it; the rest is free for archives and files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Turns the clock by a day.
    pub fn next_day(&self) {
        self.clock.set(self.clock.now() + TimeDelta::days(1));
    }

    /// Lets a day pass, then runs the job.
    ///
    /// # Errors
    /// As [`Home::run`].
    pub async fn run(&self, job: impl Into<Job>) -> Result<RunReport> {
        self.run_with(job, RunOptions::default()).await
    }

    /// As [`run`](Rig::run), for a test that stops the run, listens to it, or names an archive.
    ///
    /// # Errors
    /// As [`Home::run`].
    pub async fn run_with(&self, job: impl Into<Job>, options: RunOptions) -> Result<RunReport> {
        self.next_day();
        self.home.run(&job.into(), options).await
    }

    /// The rows that a query on the mill's database yields, as [`rows`](super::rows()) shows them.
    ///
    /// # Errors
    /// When SQLite refuses the query.
    pub fn rows(&self, sql: &str) -> Result<Vec<String>> {
        rows(self.home.ledger().path(), sql)
    }

    /// A number that this rig has not given before.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    /// A name for a pipeline that has not run yet, and so remembers nothing.
    pub(super) fn fresh(&self) -> String {
        format!("suite-{}", self.number())
    }
}
