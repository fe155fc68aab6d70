//! The context: what a step may ask of the engine while it works on an item.

use crate::clock::Clock;
use crate::ledger::{Choices, Ledger, RunRow, calls, items, memory, offloads};
use crate::replay::Cost;
use crate::run::live::{Live, Scene};
use crate::run::reenter;
use crate::{Blob, Error, Fingerprint, Result, crash};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a step may ask of the engine: time, memory, folders, and who it is working for.
#[derive(Clone)]
pub struct Context {
    pub(crate) scene: Arc<Scene>,
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) at: Option<At>,
}

/// The item that is worked on.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) seq: u64,
    pub(crate) key: Arc<str>,
    pub(crate) attempt: u32,
    signs: Signs,
    cost: Arc<Mutex<Cost>>,
}

/// The signs of life that a step gives while it works on an item: each call of the context is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signs(Arc<AtomicU64>);

impl Signs {
    /// The age of the run at the last one.
    pub(crate) fn last(&self) -> Duration {
        Duration::from_millis(self.0.load(Relaxed))
    }

    fn give(&self, age: Duration) {
        self.0.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("pipeline", &self.scene.pipeline)
            .field("run", &self.live.as_ref().map(|live| &live.run.id))
            .field("at", &self.at)
            .finish()
    }
}

impl Context {
    pub(crate) fn of_scene(scene: &Arc<Scene>) -> Self {
        Self { scene: Arc::clone(scene), live: None, at: None }
    }

    pub(crate) fn of_run(live: &Arc<Live>) -> Self {
        Self { scene: Arc::clone(&live.scene), live: Some(Arc::clone(live)), at: None }
    }

    pub(crate) fn of_item(live: &Arc<Live>, seq: u64, key: &Arc<str>, attempt: u32) -> Self {
        let (signs, cost) = (Signs::default(), Arc::default());
        let at = At { seq, key: Arc::clone(key), attempt, signs, cost };
        Self { at: Some(at), ..Self::of_run(live) }
    }

    pub(crate) fn signs(&self) -> Signs {
        self.at.as_ref().map(|at| at.signs.clone()).unwrap_or_default()
    }

    /// What was said of the costs of this item.
    pub(crate) fn cost(&self) -> Cost {
        let cost =
            self.at.as_ref().map(|at| at.cost.lock().unwrap_or_else(PoisonError::into_inner));
        cost.map(|cost| cost.clone()).unwrap_or_default()
    }

    fn costs(&self, change: impl FnOnce(&mut Cost)) {
        if let Some(at) = &self.at {
            change(&mut at.cost.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Says how many tokens an answer for this item took; they are added up and remembered by key,
    /// so that it can be foreseen what the same would cost again.
    pub fn spent(&self, prompt_tokens: u64, output_tokens: u64) {
        self.costs(|cost| {
            cost.prompt_tokens += prompt_tokens;
            cost.output_tokens += output_tokens;
        });
    }

    /// Says what the step tells its calls from (a length, say), in a form of its own:
    /// [`Step::foresee`](crate::Step::foresee) gets it back.
    pub fn measured(&self, measure: serde_json::Value) {
        self.costs(|cost| cost.measure = Some(measure));
    }

    /// Says that the work on the item goes on; work that gives no sign of life for an hour is taken
    /// for stuck. Waiting, remembering and looking things up through the context are signs too.
    pub fn alive(&self) {
        if let (Some(live), Some(at)) = (&self.live, &self.at) {
            at.signs.give(live.age());
        }
    }

    fn live(&self) -> Result<&Arc<Live>> {
        self.live.as_ref().ok_or_else(|| {
            Error::halt("this is only known once the run has begun")
                .help("ask for it in `run` or `read`, not in `prepare`")
        })
    }

    /// The pipeline's name.
    #[must_use]
    pub fn pipeline(&self) -> &str {
        &self.scene.pipeline
    }

    /// The run as the ledger knows it.
    ///
    /// # Errors
    /// In `prepare`, when there is no run yet.
    pub fn run(&self) -> Result<&RunRow> {
        Ok(&self.live()?.run)
    }

    /// The key of the item that is worked on; empty outside of items.
    #[must_use]
    pub fn key(&self) -> &str {
        self.at.as_ref().map_or("", |at| &at.key)
    }

    /// Which try this is: 1, 2, …
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.at.as_ref().map_or(1, |at| at.attempt)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock().now()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.scene.home.clock()
    }

    /// Returns after this long, or at once when the run is to stop.
    pub async fn sleep(&self, duration: Duration) {
        use crate::run::stop::Urgency;
        self.alive();
        tokio::select! {
            () = self.clock().sleep(duration) => {}
            () = self.scene.stop.reached(Urgency::Drain) => {}
            () = self.scene.bound.reached(Urgency::Drain) => {}
        }
        self.alive();
    }

    /// Whether the run is to stop: finish what is in hand, begin nothing new.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.scene.stop.urgency() > crate::run::stop::Urgency::Go || self.scene.is_over()
    }

    /// Says one line to the person who runs this; the same line is said once per run.
    pub fn say(&self, line: impl Into<String>) {
        self.scene.say(line.into());
    }

    /// The mill's ledger, for stages that keep tables of their own.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.scene.home.ledger()
    }

    /// A thing of which there is one per mill, made at the first call: an HTTP client, a limiter.
    pub fn shared<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        self.scene.home.resources().get_or_make(make)
    }

    /// The mill's home folder.
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        self.scene.home.root()
    }

    /// The run's folder on scratch for the files of a dataset; made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn folder(&self, dataset: &str) -> Result<PathBuf> {
        let run = &self.live()?.run;
        let folder = self.scene.home.scratch().folder(dataset, &run.pipeline, &run.id);
        std::fs::create_dir_all(&folder).map_err(|e| {
            Error::halt(format!("cannot make the folder {}", folder.display()))
                .because("scratch_unwritable")
                .caused_by(e)
                .help("make the mill's home writable, or choose another with --home DIR")
        })?;
        Ok(folder)
    }

    /// Says that a sealed file in [`folder`](Context::folder) belongs to the run: it is offloaded.
    ///
    /// # Errors
    /// In `prepare`, when there is no run yet.
    pub fn artifact(&self, dataset: &str, name: &str) -> Result<()> {
        self.live()?.add_artifact(dataset, name);
        Ok(())
    }

    /// Says that this run refers to a body of an earlier run instead of storing it again, so that
    /// retention keeps that run as long as this one.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn refers_to(&self, blob: &Blob) -> Result<()> {
        let live = self.live()?;
        if blob.run == live.run.id {
            return Ok(());
        }
        let (run_no, dataset, run) = (live.run.no, blob.dataset.clone(), blob.run.clone());
        self.ledger().write(64, move |tx| offloads::refer(tx, run_no, &dataset, &run)).await
    }

    /// A durable sub-step, kept across runs: the only way to a model.
    ///
    /// When an answer is journaled under `key` it is returned and `call` never runs. Otherwise
    /// `call` runs, and its answer is durable in the ledger before this returns.
    ///
    /// # Errors
    /// With the error of `call`, or of the ledger.
    pub async fn remember<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        key: Fingerprint,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let (answer, made) = self.journaled(key, call).await?;
        self.costs(|cost| cost.calls += 1);
        let counter = if made { &self.scene.calls_made } else { &self.scene.calls_remembered };
        counter.fetch_add(1, Relaxed);
        Ok(answer)
    }

    /// A decision that a resumed run must come to again: journaled as a call is, but not counted as
    /// one.
    ///
    /// # Errors
    /// With the error of `decision`, or of the ledger.
    pub async fn decide<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        key: Fingerprint,
        decision: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.journaled(key, decision).await.map(|(decided, _)| decided)
    }

    /// The journaled answer, or a new one that is durable now; the flag says whether it is new.
    async fn journaled<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        key: Fingerprint,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<(T, bool)> {
        self.alive();
        let journaled = self.ledger().read(move |read| calls::recall(read, &key)).await?;
        if let Some(answer) = journaled {
            return Ok((serde_json::from_slice(&answer)?, false));
        }
        // An external effect follows: what it depends on must be durable first.
        self.ledger().flush().await?;
        let begun = self.now();
        let answer = call.await?;
        crash::point("call.answered");
        let bytes = serde_json::to_vec(&answer)?;
        let now = self.now();
        let ms = (now - begun).num_milliseconds();
        let run_no = self.live.as_ref().map_or(0, |live| live.run.no);
        self.ledger()
            .commit(move |tx| calls::keep(tx, &key, &bytes, run_no, now.timestamp_millis(), ms))
            .await?;
        crash::point("call.journaled");
        self.alive();
        Ok((answer, true))
    }

    /// What this pipeline chose under this name in an earlier run.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn choice(&self, name: &str) -> Result<Option<String>> {
        let (no, name) = (self.scene.pipeline_no, name.to_string());
        self.ledger().read(move |read| Choices::get(read, no, &name)).await
    }

    /// Keeps a choice for this pipeline until it is changed.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn choose(&self, name: &str, value: &str) -> Result<()> {
        if self.scene.looks {
            return Ok(());
        }
        let (no, name, value) = (self.scene.pipeline_no, name.to_string(), value.to_string());
        self.ledger().commit(move |tx| Choices::set(tx, no, &name, &value)).await
    }

    /// What the last published run noted for a key, with the content hash it had.
    ///
    /// # Errors
    /// When the ledger refuses, or the note has another shape (then it was written by another
    /// version, and is treated as absent).
    pub async fn known<N: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(Fingerprint, Option<N>)>> {
        if self.scene.trial {
            return Ok(None); // an item that is tried is looked at as if it were new
        }
        self.alive();
        let (no, key) = (self.scene.pipeline_no, key.to_string());
        let known = self.ledger().read(move |read| memory::known(read, no, &key)).await?;
        Ok(known.and_then(|known| {
            let note = known.note.and_then(|note| serde_json::from_value(note).ok());
            known.content.map(|content| (content, note))
        }))
    }

    /// Says the content hash of the item that is worked on. When it is the same as last time this
    /// returns an error that means *unchanged*: pass it on with `?`, and nothing more runs.
    ///
    /// # Errors
    /// When the content is unchanged, or the ledger refuses.
    pub async fn observe(&self, content: Fingerprint, note: Option<&impl Serialize>) -> Result<()> {
        let Some(at) = self.at.clone() else { return Ok(()) };
        let known = self.known::<serde_json::Value>(&at.key).await?;
        let note = note.map(serde_json::to_string).transpose()?;
        let run_no = self.live()?.run.no;
        self.ledger()
            .write(256, move |tx| items::observe(tx, run_no, at.seq, &content, note.as_deref()))
            .await?;
        match known {
            Some((known, _)) if known == content => Err(Error::unchanged()),
            _ => Ok(()),
        }
    }

    /// Reads the range of a file that a blob refers to, on scratch or in an archive.
    ///
    /// # Errors
    /// With the verdict *wait* when the archive that holds it is away; *park* when it is nowhere.
    pub async fn read_blob(&self, blob: &Blob) -> Result<Vec<u8>> {
        let replaying = self.live.as_ref().and_then(|live| live.replaying.as_ref());
        match replaying.and_then(|replaying| replaying.place_of(blob)) {
            Some(place) => reenter::read_blob(place, blob).await,
            None => self.scene.home.read_blob(blob).await,
        }
    }
}
