//! One item through a pipeline, to be looked at: what came out of each step, and how long it took.

use super::execute::RunOptions;
use super::live::Live;
use crate::build::Job;
use crate::mill::Home;
use crate::{Error, Result};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What one step made of the item.
#[derive(Debug, Clone, Serialize)]
pub struct TrialStep {
    /// The verb.
    pub verb: String,
    /// The step's name.
    pub step: String,
    /// How long it took since the step before, in milliseconds.
    pub millis: f64,
    /// What came out.
    pub output: serde_json::Value,
}

/// One item that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct TrialReport {
    /// The pipeline.
    pub pipeline: String,
    /// What the person named.
    pub what: String,
    /// The steps that it came through.
    pub steps: Vec<TrialStep>,
    /// The step at which it ended before the end, and why; `None` when it came through.
    pub ended: Option<(String, String)>,
    /// Calls to a model that were made; their answers are remembered.
    pub calls_made: u64,
    /// Calls to a model that were answered from memory.
    pub calls_remembered: u64,
    /// What was said to the person.
    pub said: Vec<String>,
}

/// What is seen of the item on its way.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) what: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    steps: Vec<(usize, Duration, serde_json::Value)>,
    ended: Option<(String, String)>,
}

impl Trial {
    pub(crate) fn of(what: String) -> Self {
        Self { what, seen: Mutex::new(Seen::default()) }
    }

    /// Something came out of a step.
    pub(crate) fn saw(&self, no: usize, age: Duration, item: &impl Serialize) -> Result<()> {
        let output = serde_json::to_value(item)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).steps.push((no, age, output));
        Ok(())
    }

    /// The item did not get through.
    pub(crate) fn failed(&self, stage: &str, error: &Error) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.ended.get_or_insert_with(|| (stage.to_string(), error.to_string()));
    }

    pub(crate) fn report(&self, live: &Live) -> TrialReport {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = Duration::ZERO;
        let steps = seen.steps.iter().map(|(no, age, output)| {
            let node = live.blueprint.nodes.get(*no);
            let took = age.saturating_sub(before);
            before = *age;
            TrialStep {
                verb: node.map_or_else(String::new, |node| node.verb.clone()),
                step: node.map_or_else(String::new, |node| node.name.clone()),
                millis: (took.as_secs_f64() * 100_000.0).round() / 100.0,
                output: output.clone(),
            }
        });
        TrialReport {
            pipeline: live.scene.pipeline.clone(),
            what: self.what.clone(),
            steps: steps.collect(),
            ended: seen.ended.clone(),
            calls_made: live.scene.calls_made.load(std::sync::atomic::Ordering::Relaxed),
            calls_remembered: live
                .scene
                .calls_remembered
                .load(std::sync::atomic::Ordering::Relaxed),
            said: live.scene.said(),
        }
    }
}

impl Home {
    /// Takes one item through a pipeline: what a person names (an address, a file, a line) instead
    /// of what the source yields. Nothing is published or offloaded, no other run is touched, and
    /// what earlier runs know of the item does not count; a model's answers are remembered.
    ///
    /// # Errors
    /// When the source cannot make an item of it, or a step halts.
    pub async fn try_one(
        self: &Arc<Self>,
        job: &Job,
        what: &str,
        options: RunOptions,
    ) -> Result<TrialReport> {
        self.check_owner()?;
        job.blueprint.check()?;
        let _at_work = self.turn(&job.blueprint.name).await;
        super::execute::trial(self, job, Trial::of(what.to_string()), options).await
    }
}
