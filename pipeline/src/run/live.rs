//! What a run at work shares among its tasks.

use super::keys::Keys;
use super::progress::{Event, Progress};
use super::reenter::Replaying;
use super::report::Counts;
use super::stats::{StepReport, Times};
use super::stop::{Stop, Urgency};
use super::tally::Tally;
use super::trial::Trial;
use crate::build::Blueprint;
use crate::channel::{Receiver, Room, Sender, channel};
use crate::ledger::{Ledger, RunRow};
use crate::mill::Home;
use crate::{Envelope, Error, Fingerprint, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument;

/// So many small items may lie between two steps, or 16 MiB of larger ones.
const PLACES: u32 = 256;
const UNIT: usize = 64 << 10;

/// What is there before a run has begun: the home, the pipeline, who listens.
pub(crate) struct Scene {
    pub(crate) home: Arc<Home>,
    pub(crate) pipeline: String,
    pub(crate) pipeline_no: i64,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) stop: Stop,
    /// Turned when the run's time is up: the rest waits for the next run.
    pub(crate) bound: Stop,
    /// Calls to models that were made, and that were answered from memory.
    pub(crate) calls_made: AtomicU64,
    pub(crate) calls_remembered: AtomicU64,
    /// One item is tried, and nothing is as it was last time.
    pub(crate) trial: bool,
    /// Nothing is run, only looked at: what a step chooses is not kept.
    pub(crate) looks: bool,
    said: Mutex<Vec<String>>,
}

impl Scene {
    pub(crate) fn new(
        home: Arc<Home>,
        pipeline: String,
        pipeline_no: i64,
        progress: Arc<dyn Progress>,
        stop: Stop,
        trial: bool,
    ) -> Self {
        Self {
            home,
            pipeline,
            pipeline_no,
            progress,
            stop,
            bound: Stop::default(),
            calls_made: AtomicU64::new(0),
            calls_remembered: AtomicU64::new(0),
            trial,
            looks: false,
            said: Mutex::new(Vec::new()),
        }
    }

    /// Of something that is only looked at.
    pub(crate) fn that_looks(self) -> Self {
        Self { looks: true, ..self }
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

    /// Whether the run's time is up.
    pub(crate) fn is_over(&self) -> bool {
        self.bound.urgency() > Urgency::Go
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
    /// How long an item may show no sign of life in a step.
    pub(crate) patience: Duration,
    /// Items up to here may have remembered answers.
    pub(crate) resumed_to: u64,
    pub(crate) next_seq: AtomicU64,
    /// Items that were passed on, for `.limit(n)`.
    pub(crate) passed: AtomicU64,
    /// What it had when it began.
    pub(crate) before: Before,
    /// What it knows of one item that is tried.
    pub(crate) trial: Option<Trial>,
    /// The archived items that it works on again, when it is a replay.
    pub(crate) replaying: Option<Arc<Replaying>>,
    /// The step behind which its items enter; 0: the source.
    pub(crate) entry: usize,
    pub(crate) tally: Tally,
    keys: OnceCell<Keys>,
    times: Vec<Times>,
    rooms: Mutex<Vec<(usize, Arc<Room>)>>,
    begun: Instant,
    artifacts: Mutex<BTreeSet<(String, String)>>,
    halted: Mutex<Option<Error>>,
    /// The tasks that move the items: a run has ended when all of them have.
    tasks: Mutex<Vec<JoinHandle<()>>>,
    aborts: Mutex<Vec<AbortHandle>>,
}

/// What the run has already, when it was resumed or took over waiting items.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// Keys that wait in earlier runs and were not taken over, with their content.
    pub(crate) waiting: BTreeMap<String, Option<Fingerprint>>,
    /// Keys that a person dropped, each with the reason that is not told any more.
    pub(crate) dropped: BTreeMap<String, String>,
    /// Where its items ended before it was resumed.
    pub(crate) ends: Counts,
    pub(crate) last_seq: u64,
    pub(crate) passed: u64,
    /// Of a replay, which makes room for others again and again: its calls before.
    pub(crate) calls: (u64, u64),
}

/// What a run is begun with.
pub(crate) struct Beginning {
    pub(crate) run: RunRow,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) chain: Fingerprint,
    pub(crate) before: Before,
    pub(crate) patience: Duration,
    pub(crate) keep_going: bool,
    pub(crate) trial: Option<Trial>,
    pub(crate) replaying: Option<Arc<Replaying>>,
}

impl Live {
    pub(crate) fn new(scene: Arc<Scene>, blueprint: Arc<Blueprint>, with: Beginning) -> Self {
        Self {
            times: blueprint.nodes.iter().map(|_| Times::default()).collect(),
            tally: Tally::new(blueprint.nodes.len(), with.keep_going),
            scene,
            blueprint,
            run: with.run,
            fingerprints: with.fingerprints,
            chain: with.chain,
            patience: with.patience,
            resumed_to: with.before.last_seq,
            next_seq: AtomicU64::new(with.before.last_seq),
            passed: AtomicU64::new(with.before.passed),
            before: with.before,
            trial: with.trial,
            entry: with.replaying.as_ref().map_or(0, |replaying| replaying.reentry.no),
            replaying: with.replaying,
            keys: OnceCell::new(),
            rooms: Mutex::new(Vec::new()),
            begun: Instant::now(),
            artifacts: Mutex::new(BTreeSet::new()),
            halted: Mutex::new(None),
            tasks: Mutex::new(Vec::new()),
            aborts: Mutex::new(Vec::new()),
        }
    }

    /// Starts a task of the flow; an error of it halts the run.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl Future<Output = Result<()>> + Send + 'static) {
        let live = Arc::clone(self);
        let task = async move {
            if let Err(error) = work.await {
                live.halt(error);
            }
        };
        let task = tokio::spawn(task.in_current_span());
        let abort = task.abort_handle();
        self.aborts.lock().unwrap_or_else(PoisonError::into_inner).push(abort);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Starts a task that ends with the run.
    pub(crate) fn accompany(&self, work: impl Future<Output = ()> + Send + 'static) {
        let abort = tokio::spawn(work.in_current_span()).abort_handle();
        self.aborts.lock().unwrap_or_else(PoisonError::into_inner).push(abort);
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

    /// The way from a step to the next.
    pub(crate) fn lane<T>(&self, no: usize) -> (Sender<Envelope<T>>, Receiver<Envelope<T>>) {
        let (sender, receiver) = channel(PLACES, UNIT);
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.push((no, Arc::clone(sender.room())));
        (sender, receiver)
    }

    /// The keys that the run had when it began; read once, when they are needed first.
    pub(crate) async fn keys(&self) -> Result<&Keys> {
        let (run_no, entry) = (self.run.no, self.entry);
        let any = self.resumed_to > 0 && !self.run.source_done;
        self.keys
            .get_or_try_init(|| async move {
                if !any {
                    return Ok(Keys::default());
                }
                self.ledger().read(move |read| Keys::of_run(read, run_no, entry)).await
            })
            .await
    }

    /// Something came out of a step; who tries one item is shown what.
    pub(crate) fn look<T: Serialize>(&self, no: usize, item: &T) -> Result<()> {
        self.tally.pass(no);
        match &self.trial {
            None => Ok(()),
            Some(trial) => trial.saw(no, self.age(), item),
        }
    }

    /// Monotonic time since the run began, for signs of life.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Calls to models that were made, and that were answered from memory.
    pub(crate) fn calls(&self) -> (u64, u64) {
        let (made, remembered) = self.before.calls;
        let now = |count: &AtomicU64| count.load(Relaxed);
        (made + now(&self.scene.calls_made), remembered + now(&self.scene.calls_remembered))
    }

    /// Counts one item of a step.
    pub(crate) fn timed(&self, no: usize, took: Duration) {
        if let Some(times) = self.times.get(no) {
            times.add(took);
        }
        self.scene.progress.event(&Event::Stepped { step: no });
    }

    /// What each step did so far.
    pub(crate) fn steps(&self) -> Vec<StepReport> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let full =
            |no: usize| rooms.iter().filter(|(of, _)| *of == no).map(|(_, r)| r.full()).sum();
        let nodes = self.blueprint.nodes.iter().zip(&self.times).enumerate();
        nodes.map(|(no, (node, times))| times.report(&node.name, full(no))).collect()
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
