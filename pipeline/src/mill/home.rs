//! A mill's home: the folder on the SSD with ledger, scratch and lock.

use super::Resources;
use super::lane::{First, Lane};
use super::lock::Lock;
use crate::clock::{Clock, SystemClock, Zone};
use crate::ledger::{CallCap, Ledger};
use crate::tier::{Scratch, guard};
use crate::{Error, Fingerprint, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as Turn, Notify as Bell, OwnedMutexGuard};

/// How a home is opened.
#[derive(Debug, Clone)]
pub struct HomeOptions {
    /// Take the lock: needed by everything that changes the mill.
    pub owner: bool,
    /// Open the ledger even on a file system that SQLite cannot trust.
    pub any_file_system: bool,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The mill's time zone.
    pub zone: Zone,
    /// How long and how much of the answers of models is kept.
    pub calls: CallCap,
}

impl Default for HomeOptions {
    fn default() -> Self {
        Self {
            owner: false,
            any_file_system: false,
            clock: Arc::new(SystemClock),
            zone: Zone::of_system(),
            calls: CallCap::default(),
        }
    }
}

impl HomeOptions {
    /// To change the mill: with the lock.
    #[must_use]
    pub fn owner() -> Self {
        Self { owner: true, ..Self::default() }
    }
}

/// An opened home.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    mill: String,
    ledger: Ledger,
    scratch: Scratch,
    clock: Arc<dyn Clock>,
    zone: Zone,
    resources: Resources,
    calls: CallCap,
    lock: Option<Lock>,
    /// Pipelines that run now: each runs once at a time.
    turns: Mutex<HashMap<String, Arc<Turn<()>>>>,
    /// How many runs are at work.
    at_work: Arc<Mutex<u32>>,
    /// Who goes first.
    lane: Arc<Lane>,
    /// Rung when an order was carried out.
    stirred: Bell,
}

/// A run that is at work, and the turn that it has.
#[derive(Debug)]
pub(crate) struct AtWork {
    _turn: OwnedMutexGuard<()>,
    _first: Option<First>,
    count: Arc<Mutex<u32>>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

impl Home {
    /// Opens a home; with `owner` it is made when it is not there.
    ///
    /// # Errors
    /// `home_missing` when there is none, `home_locked` when another process owns it,
    /// `home_unfit` when its file system cannot hold a live database.
    pub fn open(root: &Path, options: HomeOptions) -> Result<Self> {
        let root = made(root, options.owner, options.any_file_system)?;
        fit(&root, &root, options.any_file_system)?;
        let lock = if options.owner { Some(Lock::take(&root)?) } else { None };
        let file = root.join("tidemill.db");
        let ledger = match options.owner {
            true => Ledger::open(&file, &newborn(&root, options.clock.as_ref()))?,
            false => Ledger::look(&file)?,
        };
        let mill = identity(&ledger)?;
        Ok(Self {
            scratch: Scratch { root: root.join("scratch") },
            mill,
            ledger,
            clock: options.clock,
            zone: options.zone,
            resources: Resources::default(),
            root,
            calls: options.calls,
            lock,
            turns: Mutex::new(HashMap::new()),
            at_work: Arc::default(),
            lane: Arc::default(),
            stirred: Bell::new(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The mill's id, written in every manifest.
    #[must_use]
    pub fn mill(&self) -> &str {
        &self.mill
    }

    /// Where the log of a run lies, if somebody keeps one.
    #[must_use]
    pub fn log(&self, run: &str) -> PathBuf {
        self.root.join("logs").join(format!("{run}.log"))
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The scratch tier.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time zone.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// Refuses to change the mill without the lock.
    pub(crate) fn check_owner(&self) -> Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        Err(Error::halt("this home was opened to look at it only")
            .because("not_owner")
            .help("open it with `HomeOptions::owner()`"))
    }

    /// Waits until no other run of this pipeline is at work. Replays make room.
    pub(crate) async fn turn(&self, pipeline: &str) -> AtWork {
        let first = self.lane.first();
        let turn = self.turn_of(pipeline).lock_owned().await;
        self.begin_work(turn, Some(first))
    }

    /// As [`turn`](Home::turn) for a replay, which asks nobody to make room.
    pub(crate) async fn last_turn(&self, pipeline: &str) -> AtWork {
        let turn = self.turn_of(pipeline).lock_owned().await;
        self.begin_work(turn, None)
    }

    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// The turn of this pipeline, unless a run of it is at work.
    pub(crate) fn turn_now(&self, pipeline: &str) -> Option<AtWork> {
        self.turn_of(pipeline).try_lock_owned().ok().map(|turn| self.begin_work(turn, None))
    }

    fn turn_of(&self, pipeline: &str) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(pipeline.to_string()).or_default())
    }

    fn begin_work(&self, turn: OwnedMutexGuard<()>, first: Option<First>) -> AtWork {
        self.mend_when_idle();
        *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        AtWork { _turn: turn, _first: first, count: Arc::clone(&self.at_work) }
    }

    /// Lets the ledger write again after a write that failed: when no run is at work, whoever relied
    /// on that write has halted.
    pub(crate) fn mend_when_idle(&self) {
        if *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) == 0 {
            self.ledger.mend();
        }
    }

    pub(crate) fn stirred(&self) -> &Bell {
        &self.stirred
    }

    pub(crate) fn call_cap(&self) -> CallCap {
        self.calls
    }

    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }
}

/// The home's folder with its real path; made for an owner.
fn made(root: &Path, owner: bool, any: bool) -> Result<PathBuf> {
    if !owner && !root.join("tidemill.db").is_file() {
        return Err(Error::halt(format!("there is no mill in {}", root.display()))
            .because("home_missing")
            .help("name the home with --home DIR or TIDEMILL_HOME; the first `run` makes it"));
    }
    if owner {
        // Asked of the folder that is there, so that nothing is made where it may not be.
        let there = root.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
        fit(there, root, any)?;
        std::fs::create_dir_all(root).map_err(|e| {
            Error::halt(format!("cannot make the home {}", root.display()))
                .because("home_unwritable")
                .caused_by(e)
                .help("choose a folder that this user may write, with --home DIR")
        })?;
    }
    Ok(root.canonicalize()?)
}

/// Refuses file systems without the locks and shared memory that SQLite's WAL needs.
fn fit(there: &Path, root: &Path, any: bool) -> Result<()> {
    let kind = guard::file_system(there)?;
    if kind.supports_sqlite || any {
        return Ok(());
    }
    Err(Error::halt(format!("the home {} lies on {kind}, where a live database gets damaged", root.display()))
        .because("home_unfit")
        .help("put the home on a local disk (ext4, xfs, btrfs, APFS) and the archive on this one; or take the risk with --any-file-system"))
}

/// An id for a mill that is new.
fn newborn(root: &Path, clock: &dyn Clock) -> String {
    let seed = (root.to_string_lossy(), clock.now().to_rfc3339(), std::process::id());
    Fingerprint::of(&seed).to_hex().chars().take(12).collect()
}

/// The mill's id as the ledger keeps it.
fn identity(ledger: &Ledger) -> Result<String> {
    let sql = "SELECT value FROM tm_meta WHERE name = 'mill'";
    let known = ledger.read_now(|read| read.one(sql, [], |row| row.get::<_, String>(0)))?;
    known.ok_or_else(|| Error::halt("the ledger names no mill").because("ledger"))
}
