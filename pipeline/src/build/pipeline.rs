//! Pipelines: values that are written down verb by verb and run by a mill.

use super::archive::Archive;
use super::blueprint::{Blueprint, Knobs, Memory, Node, Reentry, short_type};
use super::erased::{FilesOf, ReplayOf, TableOf};
use super::job::Job;
use super::steps::{spool, stage_rows};
use crate::run::flow::{self, Flow};
use crate::run::live::Live;
use crate::run::{entry, read, reenter, work};
use crate::sink::{FileSink, LedgerSink};
use crate::{Error, Item, Replay, Result, Source, Stage, Step};
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
        let no = self.0.push(node, Knobs::once(1), Some(source.clone()));
        let archived = source.replay();
        let build: Build<S::Item> = Arc::new(move |live| read::start(live, Arc::clone(&source)));
        let build = reentered(&mut self.0, no, archived, build);
        Pipeline { blueprint: self.0, build }
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
        let no = self.blueprint.push(node, Knobs::trying(stage.workers()), Some(stage.clone()));
        let (before, archived) = (self.build, stage.replay());
        let build: Build<S::Out> = Arc::new(move |live| {
            let (shared, stage) = (Arc::clone(live), Arc::clone(&stage));
            flow::each(live, no, before(live), move |envelope| {
                work::remembered(Arc::clone(&shared), Arc::clone(&stage), no, envelope)
            })
        });
        let build = reentered(&mut self.blueprint, no, archived, build);
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
        let no = self.blueprint.push_unnamed::<Out>(verb, Memory::Recomputed);
        let before = self.build;
        let f = Arc::new(f);
        let build: Build<Out> = Arc::new(move |live| {
            let (shared, f) = (Arc::clone(live), Arc::clone(&f));
            flow::each(live, no, before(live), move |envelope| {
                work::computed(Arc::clone(&shared), no, Arc::clone(&f), envelope)
            })
        });
        Pipeline { blueprint: self.blueprint, build }
    }

    /// Lets `n` items at a time go on as one list, the last ones as a shorter list: for a step that
    /// does many at once. Which items are in which list is recorded.
    #[must_use]
    pub fn chunks(mut self, n: usize) -> Pipeline<Vec<T>> {
        let no = self.blueprint.push_unnamed::<Vec<T>>("chunks", Memory::Derived);
        let before = self.build;
        let build: Build<Vec<T>> =
            Arc::new(move |live| entry::merge(live, before(live), no, n.max(1)));
        Pipeline { blueprint: self.blueprint, build }
    }

    /// Stores each item as a row of a table in the mill's SQLite file; all rows of a run are
    /// published at once. The item goes on, to another sink for instance.
    #[must_use]
    pub fn store<S: LedgerSink<T>>(mut self, table: S) -> Pipeline<T> {
        let table = Arc::new(table);
        let fills = Some(table.table().to_string());
        let node = node::<T>("store", table.as_ref(), Memory::Staged, fills);
        let no = self.blueprint.push(node, Knobs::once(1), Some(table.clone()));
        self.blueprint.tables.push(Arc::new(TableOf(table.clone(), PhantomData)));
        let before = self.build;
        let build: Build<T> = Arc::new(move |live| {
            let (shared, table) = (Arc::clone(live), Arc::clone(&table));
            flow::together(live, no, before(live), move |items| {
                stage_rows(Arc::clone(&shared), Arc::clone(&table), no, items)
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
        let no = self.blueprint.push(node, Knobs::once(1), Some(files.clone()));
        let sink = self.blueprint.files.len();
        self.blueprint.files.push((no, Arc::new(FilesOf(Arc::clone(&files), PhantomData))));
        let (before, archived) = (self.build, files.replay());
        let build: Build<T> = Arc::new(move |live| {
            let shared = Arc::clone(live);
            flow::together(live, no, before(live), move |items| {
                spool(Arc::clone(&shared), sink, no, items)
            })
        });
        let build = reentered(&mut self.blueprint, no, archived, build);
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

    /// Tries an item at most `n` times in the last step when its error asks for another try, with
    /// growing pauses in between; 1 means once. A `then` step tries three times by itself, all
    /// others once.
    #[must_use]
    pub fn retry(self, n: u32) -> Self {
        self.turn(|knobs| knobs.tries = n.max(1))
    }

    /// Lets the last step share a thing (a model, a machine, a licence) with all other steps of the
    /// mill that name it: at most `n` items use it at once.
    #[must_use]
    pub fn within(self, thing: impl Into<String>, n: usize) -> Self {
        let within = Some((thing.into(), n.max(1)));
        self.turn(|knobs| knobs.within = within)
    }

    /// Ends the run's work at this local time of day (`"08:00"`), today or tomorrow: what is done is
    /// published, the rest waits for the next run.
    #[must_use]
    pub fn until(mut self, time: impl Into<String>) -> Self {
        self.blueprint.until = Some(time.into());
        self
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

/// The flow behind a step that fills a dataset: in a replay from that dataset what the archive holds,
/// and nothing before it is built.
fn reentered<T: Item>(
    blueprint: &mut Blueprint,
    no: usize,
    archived: Option<Arc<dyn Replay<T>>>,
    build: Build<T>,
) -> Build<T> {
    let dataset = blueprint.nodes.get(no).and_then(|node| node.fills.clone());
    let (Some(reader), Some(dataset)) = (archived, dataset) else { return build };
    let reentry = Reentry { no, dataset, reader: Arc::new(ReplayOf(Arc::clone(&reader))) };
    blueprint.reentries.push(reentry);
    Arc::new(move |live| match live.entry == no && live.replaying.is_some() {
        true => reenter::start(live, Arc::clone(&reader)),
        false => build(live),
    })
}

fn node<T>(verb: &'static str, step: &impl Step, memory: Memory, fills: Option<String>) -> Node {
    let fingerprint = step.fingerprint();
    Node {
        verb: verb.to_string(),
        name: step.name().to_string(),
        version: step.version(),
        yields: short_type::<T>(),
        memory,
        fills: fills.or_else(|| step.fills().map(str::to_string)),
        configured: fingerprint,
        fingerprint,
    }
}

impl<T: Item> Pipeline<Vec<T>> {
    /// Lets each list go on as its items, one by one. The items are recorded: the n-th gets the
    /// list's key with `#n` behind it.
    #[must_use]
    pub fn flatten(mut self) -> Pipeline<T> {
        let no = self.blueprint.push_unnamed::<T>("flatten", Memory::Derived);
        let before = self.build;
        let build: Build<T> = Arc::new(move |live| entry::split(live, before(live), no));
        Pipeline { blueprint: self.blueprint, build }
    }
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
