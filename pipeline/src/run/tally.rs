//! The tally of a run: where its items ended so far, and whether they all fail alike.

use super::report::Counts;
use crate::Error;
use crate::ledger::ItemState;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// When so many items fail alike and none got through before, the run halts.
const ALIKE: u32 = 20;

/// Counts since this process took the run up.
#[derive(Debug)]
pub(crate) struct Tally {
    recorded: AtomicU64,
    done: AtomicU64,
    unchanged: AtomicU64,
    waiting: AtomicU64,
    parked: AtomicU64,
    /// Whether failures are still looked at: until one item ends otherwise.
    watching: AtomicBool,
    alike: Mutex<Option<Alike>>,
    /// The steps that an item got through.
    passed: Vec<AtomicBool>,
}

#[derive(Debug)]
struct Alike {
    stage: String,
    reason: String,
    count: u32,
}

impl Tally {
    /// With `keep_going` the run does not halt though all fail alike.
    pub(crate) fn new(steps: usize, keep_going: bool) -> Self {
        Self {
            passed: (0..steps).map(|_| AtomicBool::new(false)).collect(),
            recorded: AtomicU64::new(0),
            done: AtomicU64::new(0),
            unchanged: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            parked: AtomicU64::new(0),
            watching: AtomicBool::new(!keep_going),
            alike: Mutex::new(None),
        }
    }

    pub(crate) fn record(&self) {
        self.recorded.fetch_add(1, Relaxed);
    }

    /// Items that were recorded to be worked on.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded.load(Relaxed)
    }

    pub(crate) fn settle(&self, state: ItemState) {
        let counter = match state {
            ItemState::Done => &self.done,
            ItemState::Unchanged => &self.unchanged,
            ItemState::Waiting => &self.waiting,
            ItemState::Parked => &self.parked,
            ItemState::Open | ItemState::Split | ItemState::Merged => return,
        };
        counter.fetch_add(1, Relaxed);
        if state == ItemState::Done && self.watching.load(Relaxed) {
            self.watching.store(false, Relaxed); // something gets through
        }
    }

    /// An item got through a step.
    pub(crate) fn pass(&self, no: usize) {
        if let Some(passed) = self.passed.get(no).filter(|passed| !passed.load(Relaxed)) {
            passed.store(true, Relaxed);
        }
    }

    /// Looks at a failure in a step; an error when all items so far have failed alike.
    pub(crate) fn failed(&self, no: usize, stage: &str, error: &Error) -> Result<(), Error> {
        // One that got through this step may not be at the end of its way yet.
        let passed = self.passed.get(no).is_some_and(|passed| passed.load(Relaxed));
        if passed || !self.watching.load(Relaxed) {
            return Ok(());
        }
        let mut alike = self.alike.lock().unwrap_or_else(PoisonError::into_inner);
        let so_far = alike.get_or_insert_with(|| Alike {
            stage: stage.to_string(),
            reason: error.reason().to_string(),
            count: 0,
        });
        if so_far.stage != stage || so_far.reason != error.reason() {
            self.watching.store(false, Relaxed);
            return Ok(());
        }
        so_far.count += 1;
        if so_far.count < ALIKE {
            return Ok(());
        }
        Err(Error::halt(format!(
            "the first {ALIKE} items all failed alike, in {stage}: {}",
            error.message()
        ))
        .because("all_alike")
        .help("nothing was published: mend the cause and run again; or run with --keep-going, which sets them all aside"))
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            done: self.done.load(Relaxed),
            unchanged: self.unchanged.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            parked: self.parked.load(Relaxed),
        }
    }
}
