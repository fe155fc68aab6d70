//! The report of a run: counts, files, what waits, what was set aside.

use super::stats::StepReport;
use crate::ledger::{OffloadRow, RunState};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How many items ended where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Through the whole chain.
    pub done: u64,
    /// As they were last time; nothing ran.
    pub unchanged: u64,
    /// Waiting for a model or a bound; the next run takes them first.
    pub waiting: u64,
    /// Set aside with a reason.
    pub parked: u64,
}

/// Where the run's files are.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OffloadReport {
    /// `done`, `waiting`, or `none` when the pipeline has no archive.
    pub state: String,
    /// The archive's folder.
    pub archive: Option<String>,
    /// Whether the archive is on the same disk as the home: then it is not a backup.
    pub same_disk: bool,
    /// Why it waits.
    pub note: Option<String>,
    /// Files, by dataset, of this and of earlier runs that were caught up.
    pub parcels: Vec<OffloadRow>,
}

/// What retention took away, or would.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PruneReport {
    /// Runs kept, over all datasets.
    pub kept: u64,
    /// One line per run and dataset: what happens to it, and why.
    pub decisions: Vec<PruneLine>,
    /// Set when the plan was too large to carry out without a yes.
    pub held_back: Option<String>,
}

/// What retention says of one run of one dataset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PruneLine {
    /// The pipeline.
    pub pipeline: String,
    /// The dataset.
    pub dataset: String,
    /// The run's id.
    pub run: String,
    /// The run's local date.
    pub dt: String,
    /// Whether it stays.
    pub keep: bool,
    /// Why.
    pub reasons: Vec<String>,
    /// Its size in the archive.
    pub bytes: u64,
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// The run's id.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// Its nominal local time.
    pub scheduled_for: String,
    /// The local date that its files are filed under.
    pub dt: String,
    /// Whether it went on with an unfinished run.
    pub resumed: bool,
    /// How far it came.
    pub state: RunState,
    /// Items that waited since earlier runs and were taken first.
    pub carried: u64,
    /// Items, by where they ended.
    pub items: Counts,
    /// Calls to a model that were made.
    pub calls_made: u64,
    /// Calls to a model that were answered from memory.
    pub calls_remembered: u64,
    /// Rows of the published tables that are new or different now.
    pub changed_rows: u64,
    /// Keys that came more than once; the last one won.
    pub repeated_keys: u64,
    /// What each step did and how long it took, in this attempt.
    pub steps: Vec<StepReport>,
    /// What the run said to the person.
    pub said: Vec<String>,
    /// Reasons of parked and waiting items, with their counts.
    pub reasons: Vec<(String, u64)>,
    /// Where the files are.
    pub offload: OffloadReport,
    /// What retention took away.
    pub retention: PruneReport,
    /// Wall time in milliseconds.
    pub millis: u64,
}

/// How far a run at work is: what it writes into the ledger every few seconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pulse {
    /// Items that are to be worked on, as far as the source has spoken.
    pub recorded: u64,
    /// Items by where they ended, over all attempts.
    pub items: Counts,
    /// What each step did so far.
    pub steps: Vec<StepReport>,
    /// What the run said to the person.
    pub said: Vec<String>,
    /// What it halted on, if it did.
    #[serde(default)]
    pub halted: Option<String>,
    /// Of a replay: calls to a model that were made, and that were answered from memory, so far.
    #[serde(default)]
    pub calls: (u64, u64),
}

impl Counts {
    /// Both together.
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            done: self.done + more.done,
            unchanged: self.unchanged + more.unchanged,
            waiting: self.waiting + more.waiting,
            parked: self.parked + more.parked,
        }
    }
}

impl OffloadReport {
    /// The archive is away, and nothing was tried.
    pub(super) fn away(root: &Path, why: &str) -> Self {
        Self {
            state: "waiting".into(),
            archive: Some(root.to_string_lossy().into_owned()),
            note: Some(why.to_string()),
            ..Self::default()
        }
    }

    /// For a pipeline without an archive.
    pub(crate) fn none() -> Self {
        Self { state: "none".into(), ..Self::default() }
    }
}
