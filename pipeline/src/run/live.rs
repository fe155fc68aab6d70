//! What a run at work shares among its tasks.

use super::progress::{Event, Progress};
use super::stop::Stop;
use crate::build::Blueprint;
use crate::ledger::{Ledger, RunRow};
use crate::mill::Home;
use crate::{Error, Fingerprint, Result};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::{AbortHandle, JoinHandle};

/// What is there before a run has begun: the home, the pipeline, who listens.
pub(crate) struct Scene {
    pub(crate) home: Arc<Home>,
    pub(crate) pipeline: String,
    pub(crate) pipeline_no: i64,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) stop: Stop,
    /// Calls to models that were made, and that were answered from memory.
    pub(crate) calls_made: AtomicU64,
    pub(crate) calls_remembered: AtomicU64,
    said: Mutex<Vec<String>>,
}

impl Scene {
    pub(crate) fn new(
        home: Arc<Home>,
        pipeline: String,
        pipeline_no: i64,
        progress: Arc<dyn Progress>,
        stop: Stop,
    ) -> Self {
        Self {
            home,
            pipeline,
            pipeline_no,
            progress,
            stop,
            calls_made: AtomicU64::new(0),
            calls_remembered: AtomicU64::new(0),
            said: Mutex::new(Vec::new()),
        }
    }

    /// A line for the person: shown now and kept for the report; the same line only once.
    pub(crate) fn say(&self, line: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.contains(&line) {
            return;
        }
        self.progress.event(&Event::Said(&line));
        said.push(line);
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A run at work.
pub(crate) struct Live {
    pub(crate) scene: Arc<Scene>,
    pub(crate) run: RunRow,
    pub(crate) blueprint: Arc<Blueprint>,
    /// What each step said in `prepare`, by its place in the plan.
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// The fingerprint of the whole chain.
    pub(crate) chain: Fingerprint,
    /// Items up to here may have remembered answers.
    pub(crate) resumed_to: u64,
    pub(crate) next_seq: AtomicU64,
    /// Items that were passed on, for `.limit(n)`.
    pub(crate) passed: AtomicU64,
    /// What it had when it began.
    pub(crate) before: Before,
    artifacts: Mutex<BTreeSet<(String, String)>>,
    halted: Mutex<Option<Error>>,
    /// The tasks that move the items: a run has ended when all of them have.
    tasks: Mutex<Vec<JoinHandle<()>>>,
    aborts: Mutex<Vec<AbortHandle>>,
}

/// What the run has already, when it was resumed or took over waiting items.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// Its keys, each with the content that its source said.
    pub(crate) keys: HashMap<String, Option<Fingerprint>>,
    /// Keys that wait in earlier runs and were not taken over.
    pub(crate) waiting: HashSet<String>,
    pub(crate) last_seq: u64,
    pub(crate) passed: u64,
}

impl Live {
    pub(crate) fn new(
        scene: Arc<Scene>,
        run: RunRow,
        blueprint: Arc<Blueprint>,
        fingerprints: Vec<Fingerprint>,
        chain: Fingerprint,
        before: Before,
    ) -> Self {
        Self {
            scene,
            run,
            blueprint,
            fingerprints,
            chain,
            resumed_to: before.last_seq,
            next_seq: AtomicU64::new(before.last_seq),
            passed: AtomicU64::new(before.passed),
            before,
            artifacts: Mutex::new(BTreeSet::new()),
            halted: Mutex::new(None),
            tasks: Mutex::new(Vec::new()),
            aborts: Mutex::new(Vec::new()),
        }
    }

    /// Starts a task of the flow; an error of it halts the run.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl Future<Output = Result<()>> + Send + 'static) {
        let live = Arc::clone(self);
        let task = tokio::spawn(async move {
            if let Err(error) = work.await {
                live.halt(error);
            }
        });
        let abort = task.abort_handle();
        self.aborts.lock().unwrap_or_else(PoisonError::into_inner).push(abort);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Ends the tasks of a run that nobody waits for any more; tasks that have ended do not mind.
    pub(crate) fn abandon(&self) {
        let aborts = self.aborts.lock().unwrap_or_else(PoisonError::into_inner);
        aborts.iter().for_each(AbortHandle::abort);
    }

    /// Returns when all tasks of the flow have ended: what was in hand is finished and remembered.
    pub(crate) async fn joined(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                self.halt(Error::halt("a task of the engine failed").caused_by(error));
            }
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.scene.home.ledger()
    }

    pub(crate) fn now_millis(&self) -> i64 {
        self.scene.home.clock().now().timestamp_millis()
    }

    /// Stops the run with this error; the first one counts.
    pub(crate) fn halt(&self, error: Error) {
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        if halted.is_none() {
            *halted = Some(error);
        }
        drop(halted);
        self.scene.stop.abort();
    }

    /// The error that stopped the run, if one did.
    pub(crate) fn take_halt(&self) -> Option<Error> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A sealed file of this run.
    pub(crate) fn add_artifact(&self, dataset: &str, name: &str) {
        let mut artifacts = self.artifacts.lock().unwrap_or_else(PoisonError::into_inner);
        artifacts.insert((dataset.to_string(), name.to_string()));
    }

    pub(crate) fn artifacts(&self) -> Vec<(String, String)> {
        let artifacts = self.artifacts.lock().unwrap_or_else(PoisonError::into_inner);
        artifacts.iter().cloned().collect()
    }
}
