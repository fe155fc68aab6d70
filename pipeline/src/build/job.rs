//! A job: a finished pipeline that a mill can run.

use super::blueprint::{Blueprint, Knobs, Node};
use super::pipeline::Pipeline;
use crate::Item;
use crate::run::flow::Flow;
use crate::run::live::Live;
use futures_util::future::BoxFuture;
use std::sync::Arc;

pub(crate) type Drain = Arc<dyn Fn(Arc<Live>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A finished pipeline. Nothing can follow it.
#[derive(Clone)]
pub struct Job {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) drain: Drain,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("pipeline", &self.blueprint.name).finish_non_exhaustive()
    }
}

impl Job {
    /// The pipeline's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.blueprint.name
    }

    /// Looks whether it can run at all, as a run does before anything else.
    ///
    /// # Errors
    /// A name that cannot be a folder, two steps that fill the same, a time of day that is none.
    pub fn check(&self) -> crate::Result<()> {
        self.blueprint.check()
    }

    /// Its steps, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.blueprint.nodes
    }

    /// What is turned on each step, in the order of [`nodes`](Job::nodes).
    #[must_use]
    pub fn knobs(&self) -> &[Knobs] {
        &self.blueprint.knobs
    }

    /// How many new or changed items one run works on at most.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.blueprint.limit
    }

    /// The local time at which a run's time is up, as the code says it.
    #[must_use]
    pub fn until(&self) -> Option<&str> {
        self.blueprint.until.as_deref()
    }

    /// Its published tables.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        self.blueprint.table_names()
    }

    /// Its archive as the code says, if it has one.
    #[must_use]
    pub fn archive(&self) -> Option<&super::Archive> {
        self.blueprint.archive.as_ref()
    }
}

impl<T: Item> From<Pipeline<T>> for Job {
    fn from(pipeline: Pipeline<T>) -> Self {
        let build = pipeline.build;
        let drain: Drain = Arc::new(move |live| {
            let flow = build(&live);
            Box::pin(take_all(live, flow))
        });
        Self { blueprint: Arc::new(pipeline.blueprint), drain }
    }
}

/// Items that are noted as done in one write.
const TOGETHER: usize = 256;

/// The end of the chain: what arrives here is done.
async fn take_all<T>(live: Arc<Live>, mut flow: Flow<T>) {
    while let Some(first) = flow.recv().await {
        let mut through = vec![(first.seq, first.key)];
        while through.len() < TOGETHER
            && let Some(next) = flow.try_recv()
        {
            through.push((next.seq, next.key));
        }
        if let Err(error) = live.done(&through).await {
            live.halt(error);
            return;
        }
    }
}
