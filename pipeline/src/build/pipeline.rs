//! Pipelines: values that are written down verb by verb and run by a mill.

use super::archive::Archive;
use super::blueprint::{Blueprint, Knobs, Memory, Node, short_type};
use super::erased::{FilesOf, TableOf};
use super::job::Job;
use crate::ledger::params;
use crate::run::flow::{self, Flow};
use crate::run::live::Live;
use crate::run::read;
use crate::sink::{FileSink, LedgerSink, Origin};
use crate::{Envelope, Error, Fingerprint, Item, Result, ResultExt, Source, Stage, Step};
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub(super) type Build<T> = Arc<dyn Fn(&Arc<Live>) -> Flow<T> + Send + Sync>;

/// A pipeline that has only its name: `.read(..)` a source first.
pub struct Unread(Blueprint);

impl std::fmt::Debug for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Unread").field(&self.0.name).finish()
    }
}

/// A pipeline that yields `T`: a value that can be printed, planned, run, resumed.
///
/// ```
/// use tidemill_pipeline::testing::Lines;
/// use tidemill_pipeline::{Pipeline, Result};
///
/// async fn shout(line: String) -> Result<String> { Ok(line.to_uppercase()) }
///
/// let pipeline = Pipeline::named("shout").read(Lines::of(["ebb", "flow"])).map(shout);
/// assert_eq!(pipeline.nodes().len(), 2);
/// ```
pub struct Pipeline<T> {
    pub(super) blueprint: Blueprint,
    pub(super) build: Build<T>,
}

impl<T> std::fmt::Debug for Pipeline<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("nodes", &self.blueprint.nodes).finish_non_exhaustive()
    }
}

impl Pipeline<Unread> {
    /// A pipeline of this name; the name is its identity in the mill and in the archive.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Unread {
        Unread(Blueprint::named(name.into()))
    }
}

impl Unread {
    /// Reads items from a source.
    #[must_use]
    pub fn read<S: Source>(mut self, source: S) -> Pipeline<S::Item> {
        let source = Arc::new(source);
        let node = node::<S::Item>("read", source.as_ref(), Memory::Recorded, None);
        self.0.push(node, Knobs::new(1), Some(source.clone()));
        Pipeline {
            blueprint: self.0,
            build: Arc::new(move |live| read::start(live, Arc::clone(&source))),
        }
    }
}

impl<T> Pipeline<T> {
    /// Its steps, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.blueprint.nodes
    }
}

impl<T: Item> Pipeline<T> {
    /// Turns each item into another by a stage: named, versioned, and remembered in the run.
    #[must_use]
    pub fn then<S: Stage<T>>(mut self, stage: S) -> Pipeline<S::Out> {
        let stage = Arc::new(stage);
        let node = node::<S::Out>("then", stage.as_ref(), Memory::Remembered, None);
        let no = self.blueprint.push(node, Knobs::new(stage.workers()), Some(stage.clone()));
        let before = self.build;
        let build: Build<S::Out> = Arc::new(move |live| {
            let (shared, stage) = (Arc::clone(live), Arc::clone(&stage));
            flow::each(live, before(live), live.blueprint.knobs(no), move |envelope| {
                flow::remembered(Arc::clone(&shared), Arc::clone(&stage), no, envelope)
            })
        });
        Pipeline { blueprint: self.blueprint, build }
    }

    /// Turns each item into another by a plain async fn: recomputed when a run is resumed. An
    /// error parks the item at once.
    #[must_use]
    pub fn map<Out, F, Fut>(self, f: F) -> Pipeline<Out>
    where
        Out: Item,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out>> + Send + 'static,
    {
        self.closure("map", move |item| {
            let mapped = f(item);
            async move { mapped.await.map(Some) }
        })
    }

    /// As [`map`](Pipeline::map), with a handle (a client, a table of words) that is cloned per item.
    #[must_use]
    pub fn map_with<H, Out, F, Fut>(self, handle: H, f: F) -> Pipeline<Out>
    where
        H: Clone + Send + Sync + 'static,
        Out: Item,
        F: Fn(H, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out>> + Send + 'static,
    {
        self.map(move |item| f(handle.clone(), item))
    }

    /// Keeps the items for which `keep` says yes; the others are done here.
    #[must_use]
    pub fn filter(self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Pipeline<T> {
        self.closure("filter", move |item| {
            let kept = keep(&item).then_some(item);
            async move { Ok(kept) }
        })
    }

    /// A verb around a closure: named after the verb and its place, since closures have no names.
    fn closure<Out, F, Fut>(mut self, verb: &'static str, f: F) -> Pipeline<Out>
    where
        Out: Item,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Out>>> + Send + 'static,
    {
        let node = Node {
            verb,
            name: format!("{verb}-{}", self.blueprint.nodes.len()),
            version: 0,
            yields: short_type::<Out>(),
            memory: Memory::Recomputed,
            fills: None,
            fingerprint: Fingerprint::nothing(),
        };
        let name: Arc<str> = Arc::from(node.name.as_str());
        let no = self.blueprint.push(node, Knobs::new(1), None);
        let before = self.build;
        let f = Arc::new(f);
        let build: Build<Out> = Arc::new(move |live| {
            let (shared, f, name) = (Arc::clone(live), Arc::clone(&f), Arc::clone(&name));
            flow::each(live, before(live), live.blueprint.knobs(no), move |envelope| {
                apply(Arc::clone(&shared), Arc::clone(&name), Arc::clone(&f), envelope)
            })
        });
        Pipeline { blueprint: self.blueprint, build }
    }

    /// Stores each item as a row of a table in the mill's SQLite file; all rows of a run are
    /// published at once. The item goes on, to another sink for instance.
    #[must_use]
    pub fn store<S: LedgerSink<T>>(mut self, table: S) -> Pipeline<T> {
        let table = Arc::new(table);
        let fills = Some(table.table().to_string());
        let node = node::<T>("store", table.as_ref(), Memory::Staged, fills);
        let no = self.blueprint.push(node, Knobs::new(1), Some(table.clone()));
        self.blueprint.tables.push(Arc::new(TableOf(table.clone(), PhantomData)));
        let before = self.build;
        let build: Build<T> = Arc::new(move |live| {
            let (shared, table) = (Arc::clone(live), Arc::clone(&table));
            flow::each(live, before(live), live.blueprint.knobs(no), move |envelope| {
                stage_row(Arc::clone(&shared), Arc::clone(&table), envelope)
            })
        });
        Pipeline { blueprint: self.blueprint, build }
    }

    /// Saves each item into a dataset's files, which are sealed when the run is through. The item
    /// goes on.
    #[must_use]
    pub fn save<S: FileSink<T>>(mut self, files: S) -> Pipeline<T> {
        let files = Arc::new(files);
        let fills = Some(files.dataset().to_string());
        let node = node::<T>("save", files.as_ref(), Memory::Spooled, fills);
        let no = self.blueprint.push(node, Knobs::new(1), Some(files.clone()));
        let sink = self.blueprint.files.len();
        self.blueprint.files.push(Arc::new(FilesOf(files, PhantomData)));
        let before = self.build;
        let build: Build<T> = Arc::new(move |live| {
            let shared = Arc::clone(live);
            flow::each(live, before(live), live.blueprint.knobs(no), move |envelope| {
                spool(Arc::clone(&shared), sink, envelope)
            })
        });
        Pipeline { blueprint: self.blueprint, build }
    }

    /// Sends the run's files to an archive. Nothing can follow.
    #[must_use]
    pub fn offload(mut self, archive: Archive) -> Job {
        self.blueprint.archive = Some(archive);
        Job::from(self)
    }

    /// Works on `n` items at once in the last step.
    #[must_use]
    pub fn workers(self, n: usize) -> Self {
        self.turn(|knobs| knobs.workers = n.max(1))
    }

    /// Lets the last step pass items on as they are done, not in their order.
    #[must_use]
    pub fn unordered(self) -> Self {
        self.turn(|knobs| knobs.ordered = false)
    }

    /// Gives each try of the last step at most this long.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.turn(|knobs| knobs.timeout = Some(limit))
    }

    /// Works on at most `n` new or changed items in one run; the rest waits for the next.
    #[must_use]
    pub fn limit(mut self, n: u64) -> Self {
        self.blueprint.limit = Some(n);
        self
    }

    fn turn(mut self, knob: impl FnOnce(&mut Knobs)) -> Self {
        if let Some(last) = self.blueprint.knobs.last_mut() {
            knob(last);
        }
        self
    }
}

fn node<T>(verb: &'static str, step: &impl Step, memory: Memory, fills: Option<String>) -> Node {
    Node {
        verb,
        name: step.name().to_string(),
        version: step.version(),
        yields: short_type::<T>(),
        memory,
        fills,
        fingerprint: step.fingerprint(),
    }
}

/// One item through a closure; an error that could be retried parks, since it is not remembered.
async fn apply<In: Item, Out: Item, Fut: Future<Output = Result<Option<Out>>>>(
    live: Arc<Live>,
    name: Arc<str>,
    f: Arc<impl Fn(In) -> Fut>,
    envelope: Envelope<In>,
) -> Result<Option<Envelope<Out>>> {
    let Envelope { seq, key, item } = envelope;
    match flow::guarded(async { f(item).await }).await {
        Ok(Some(item)) => Ok(Some(Envelope { seq, key, item })),
        Ok(None) => {
            live.done(seq, &key).await?;
            Ok(None)
        }
        Err(error) => {
            live.setback(seq, &key, &name, error).await?;
            Ok(None)
        }
    }
}

/// Stages one row; the writer runs it before the item's *done*.
async fn stage_row<T: Item, S: LedgerSink<T>>(
    live: Arc<Live>,
    table: Arc<S>,
    envelope: Envelope<T>,
) -> Result<Option<Envelope<T>>> {
    let origin = Origin {
        run_no: live.run.no,
        run: live.run.id.clone(),
        seq: envelope.seq,
        key: envelope.key.to_string(),
    };
    match table.stage(&envelope.item, origin) {
        Ok(write) => {
            live.ledger().write(512, write).await?;
            Ok(Some(envelope))
        }
        Err(error) => {
            live.setback(envelope.seq, &envelope.key, table.name(), error).await?;
            Ok(None)
        }
    }
}

/// Spools one item for a file sink.
async fn spool<T: Item>(
    live: Arc<Live>,
    sink: usize,
    envelope: Envelope<T>,
) -> Result<Option<Envelope<T>>> {
    let item = match serde_json::to_vec(&envelope.item).or_park() {
        Ok(item) => item,
        Err(error) => {
            live.setback(envelope.seq, &envelope.key, "save", error).await?;
            return Ok(None);
        }
    };
    let (run_no, seq) = (live.run.no, envelope.seq);
    live.ledger()
        .write(item.len() + 64, move |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO tm_spool VALUES (?1, ?2, ?3, ?4)",
                params![run_no, sink as i64, seq, item],
            )
            .map(|_| ())
        })
        .await?;
    Ok(Some(envelope))
}

/// Refuses a name that could not be a folder on every disk.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits {
        return Ok(());
    }
    Err(Error::halt(format!("`{name}` cannot name a pipeline"))
        .because("bad_name")
        .help("use 1 to 64 letters, digits, `-` or `_`: the name becomes a folder in the archive"))
}
