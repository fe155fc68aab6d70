//! Prune: act on a keep plan, for the own mill's runs of one dataset.

use super::archive::Tier;
use super::catalog::{ArchivedRun, survey};
use super::trash::{Tombstone, bury};
use crate::keep::Decision;
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};

/// Whose runs a keep plan was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The id of the mill; the runs of others are never touched.
    pub mill: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataset's name.
    pub dataset: String,
}

/// What [`prune`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Runs that were moved to the trash, oldest first.
    pub runs: Vec<String>,
    /// Runs that the plan lets go and that are not here any more.
    pub missing: Vec<String>,
    /// The bytes of the moved runs, which are freed by [`purge_trash`](super::purge_trash).
    pub bytes: u64,
    /// Runs that stay.
    pub kept: usize,
}

/// Moves the runs that a plan lets go to the archive's trash, each marked with its reasons first.
///
/// Runs that a decision lets go and that are not here are told; runs without a decision stay.
/// A move that an earlier call began is finished. May be called again at any time.
///
/// # Errors
/// *Halt* with reason `prune_all` when no run would be left: no plan of ours says that. *Wait*
/// when the archive is away or cannot be written.
pub fn prune(
    tier: &Tier,
    scope: &Scope,
    decisions: &[Decision],
    now: DateTime<Utc>,
) -> Result<Pruned> {
    let going: HashMap<&str, &Decision> =
        decisions.iter().filter(|d| !d.keep).map(|d| (d.run.as_str(), d)).collect();
    let survey = survey(tier)?;
    let own = |run: &&ArchivedRun| scope.covers(run);
    let (leaving, staying): (Vec<&ArchivedRun>, Vec<&ArchivedRun>) =
        survey.runs.iter().filter(own).partition(|run| going.contains_key(run.run.as_str()));
    if staying.is_empty() && !leaving.is_empty() {
        return Err(Error::halt(format!(
            "the plan would let go of every run of {} in {}",
            scope.pipeline, scope.dataset
        ))
        .because("prune_all")
        .help("make the plan from all runs of the archive; at least one always stays"));
    }
    let mut pruned = Pruned { kept: staying.len(), ..Pruned::default() };
    // Moved by an earlier call that could not say so any more, or taken away by hand.
    let there: HashSet<&str> =
        survey.runs.iter().chain(&survey.leaving).map(|run| run.run.as_str()).collect();
    let missing = decisions.iter().filter(|d| !d.keep && !there.contains(d.run.as_str()));
    pruned.missing.extend(missing.map(|d| d.run.clone()));
    for run in survey.leaving.iter().filter(own).chain(leaving) {
        let reasons = going.get(run.run.as_str()).map(|d| d.reasons.clone()).unwrap_or_default();
        bury(tier, &run.folder, &scope.tombstone(run, now, reasons))?;
        pruned.bytes = pruned.bytes.saturating_add(run.manifest.bytes());
        pruned.runs.push(run.run.clone());
    }
    Ok(pruned)
}

impl Scope {
    fn covers(&self, run: &ArchivedRun) -> bool {
        run.manifest.mill == self.mill
            && run.pipeline == self.pipeline
            && run.dataset == self.dataset
    }

    fn tombstone(&self, run: &ArchivedRun, at: DateTime<Utc>, reasons: Vec<String>) -> Tombstone {
        Tombstone {
            mill: self.mill.clone(),
            pipeline: self.pipeline.clone(),
            dataset: self.dataset.clone(),
            run: run.run.clone(),
            at,
            reasons,
        }
    }
}
