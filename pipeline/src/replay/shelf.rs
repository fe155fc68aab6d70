//! The shelf: the archived runs that a replay may read, looked at before anything is read.

use super::selection::Selection;
use crate::tier::catalog::Untrusted;
use crate::tier::{ArchivedRun, Tier, Wanted, survey_of};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The runs of a dataset from the selection's first date on, by id: the later ones tell which
/// versions are the newest.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) runs: Vec<ArchivedRun>,
    /// Run folders that were never committed, or not to the end: nobody trusts them.
    pub(crate) uncommitted: u64,
}

impl Shelf {
    /// Looks at the archive. `gone` are runs that were taken back.
    ///
    /// # Errors
    /// `dataset_missing` and `run_missing` when there is nothing of what is asked for;
    /// `manifest_lies` when a run in the range is not what its manifest says. *Wait* when the archive
    /// is away.
    pub(crate) fn open(
        tier: &Tier,
        pipeline: &str,
        selection: &Selection,
        gone: &BTreeSet<String>,
    ) -> Result<Self> {
        let wanted = Wanted {
            dataset: Some(selection.from.clone()),
            pipeline: Some(pipeline.to_string()),
            since: selection.since,
            ..Wanted::default()
        };
        let mut survey = survey_of(tier, &wanted)?;
        survey.runs.retain(|run| !gone.contains(&run.run));
        // A day that was missed may have been made up for later: its run is filed under an earlier
        // date, and newer all the same.
        let oldest = survey.runs.iter().filter(|run| selection.covers(run.dt)).map(|run| &run.run);
        if let (Some(since), Some(oldest)) = (selection.since, oldest.min().cloned()) {
            let (since, until) = (None, since.pred_opt());
            let late = Wanted { since, until, from_run: Some(oldest), ..wanted };
            let late = survey_of(tier, &late)?;
            survey.untrusted.extend(late.untrusted);
            survey.runs.extend(late.runs.into_iter().filter(|run| !gone.contains(&run.run)));
        }
        if let Some(liar) = survey.untrusted.iter().find(|folder| folder.lies) {
            return Err(not_trusted(liar, selection));
        }
        let uncommitted = survey.untrusted.len() as u64;
        let mut runs = survey.runs;
        let meant = |run: &&ArchivedRun| selection.covers(run.dt);
        for run in runs.iter().filter(meant) {
            run.check_sizes()?;
        }
        if let Some(id) = &selection.run
            && !runs.iter().filter(meant).any(|run| run.run == *id)
        {
            return Err(Error::halt(format!(
                "the archive has no run {id} of {pipeline} in {}",
                selection.from
            ))
            .because("run_missing")
            .help("`runs` lists the runs; --since and --until may leave it out"));
        }
        if runs.is_empty() {
            is_there(tier, pipeline, &selection.from)?;
        }
        // Ids begin with the time: a later one is the newer version, whatever date it is filed under.
        runs.sort_by(|a, b| (&a.run, a.dt).cmp(&(&b.run, b.dt)));
        Ok(Self { runs, uncommitted })
    }

    /// Where each run's files lie.
    pub(crate) fn folders(&self) -> BTreeMap<String, PathBuf> {
        self.runs.iter().map(|run| (run.run.clone(), run.folder.clone())).collect()
    }
}

fn not_trusted(liar: &Untrusted, selection: &Selection) -> Error {
    let mut names = liar.folder.iter().rev().filter_map(|name| name.to_str()?.strip_prefix("dt="));
    let dt = names.next().and_then(|dt| dt.parse().ok());
    let help = match dt.is_some_and(|dt| selection.covers(dt)) {
        true => {
            "run `verify`, which repairs what another archive still has; or leave this run out with other dates"
        }
        false => {
            "it may hold newer versions of what is replayed: run `verify`, which repairs what another archive still has; else remove the folder"
        }
    };
    Error::halt(format!("{} is not to be trusted: {}", liar.folder.display(), liar.why))
        .because("manifest_lies")
        .help(help)
}

/// Refuses a dataset of which the archive has nothing at all, and names what it has.
fn is_there(tier: &Tier, pipeline: &str, dataset: &str) -> Result<()> {
    let survey = survey_of(tier, &Wanted::default())?;
    let of = |run: &&ArchivedRun| run.pipeline == pipeline;
    let has: BTreeSet<&str> =
        survey.runs.iter().filter(of).map(|run| run.dataset.as_str()).collect();
    if has.contains(dataset) {
        return Ok(()); // but nothing since then
    }
    let has = match has.is_empty() {
        true => format!("it has nothing of {pipeline}"),
        false => format!("of {pipeline} it has {}", has.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Err(Error::halt(format!(
        "the archive {} has no dataset `{dataset}` of {pipeline}",
        tier.root.display()
    ))
    .because("dataset_missing")
    .help(format!("{has}; another archive is named with --archive DIR")))
}
