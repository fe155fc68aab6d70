//! The workers: one for each pipeline that has something to do, and none twice.

use crate::ledger::RunRow;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// Who is at work.
#[derive(Debug, Default)]
pub(super) struct Workers {
    /// By pipeline: whether there was more to do since the worker looked last.
    at_work: Arc<Mutex<HashMap<String, bool>>>,
    /// Runs that were killed and go on first, by pipeline.
    orphans: Mutex<HashMap<String, RunRow>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Workers {
    /// Lets somebody work for this pipeline; who is at it already looks once more.
    pub(super) fn employ(&self, pipeline: &str, work: impl Future<Output = ()> + Send + 'static) {
        let mut at_work = lock(&self.at_work);
        if let Some(more) = at_work.get_mut(pipeline) {
            *more = true;
            return;
        }
        at_work.insert(pipeline.to_string(), false);
        let (at_work, pipeline) = (Arc::clone(&self.at_work), pipeline.to_string());
        let place = Place { at_work, pipeline, left: false };
        lock(&self.tasks).spawn(async move {
            work.await;
            place.leave();
        });
    }

    /// Whether a worker that found nothing may leave; not when it was asked to look once more.
    pub(super) fn may_leave(&self, pipeline: &str) -> bool {
        let mut at_work = lock(&self.at_work);
        match at_work.get_mut(pipeline) {
            Some(more) if *more => {
                *more = false;
                false
            }
            _ => {
                at_work.remove(pipeline);
                true
            }
        }
    }

    pub(super) fn orphan(&self, run: RunRow) {
        lock(&self.orphans).insert(run.pipeline.clone(), run);
    }

    pub(super) fn take_orphan(&self, pipeline: &str) -> Option<RunRow> {
        lock(&self.orphans).remove(pipeline)
    }

    /// Returns when nobody is at work any more.
    pub(super) async fn joined(&self) {
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker failed");
            }
        }
    }

    /// Forgets the tasks that have ended; one that failed is told of.
    pub(super) fn sweep(&self) {
        let mut tasks = lock(&self.tasks);
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker failed");
            }
        }
    }
}

/// The place of a worker. One that panics leaves it here, so that its pipeline is worked for again.
struct Place {
    at_work: Arc<Mutex<HashMap<String, bool>>>,
    pipeline: String,
    left: bool,
}

impl Place {
    fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.left {
            lock(&self.at_work).remove(&self.pipeline);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
