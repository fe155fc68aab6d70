//! Which archive is asked, and which of its runs are meant.

use super::Which;
use crate::cli::flags::Flags;
use crate::cli::home;
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tidemill_pipeline::clock::{Clock, SystemClock, Zone};
use tidemill_pipeline::ledger::PipelineRow;
use tidemill_pipeline::tier::{ArchivedRun, Tier, Wanted};
use tidemill_pipeline::{Archive, Error, Mill, Result};
use tidemill_stages::dataset::{archive_at, runs_of};

/// What is known before anything is read.
pub(super) struct Seen {
    /// The archives that may be meant.
    pub(super) roots: BTreeSet<PathBuf>,
    /// The local date now.
    pub(super) today: NaiveDate,
}

/// The archive that was named, else those of the home's pipelines.
pub(super) async fn seen(flags: &Flags, mill: Option<&Mill>) -> Result<Seen> {
    if let Some(archive) = &flags.archive {
        let today = Zone::of_system().local(SystemClock.now()).date();
        return Ok(Seen { roots: [archive.clone()].into(), today });
    }
    let home = home::peek(flags, mill)?;
    let rows = home.ledger().read(PipelineRow::all).await?;
    let mut roots = BTreeSet::new();
    for text in rows.iter().filter_map(|row| row.archive.as_deref()) {
        roots.insert(home.root().join(serde_json::from_str::<Archive>(text)?.place()));
    }
    Ok(Seen { roots, today: home.zone().local(home.clock().now()).date() })
}

impl Seen {
    /// All archives that may be meant.
    pub(super) fn tiers(&self) -> Result<Vec<Tier>> {
        if self.roots.is_empty() {
            return Err(Error::halt("no archive is known here")
                .because("no_archive")
                .help("name one with --archive DIR"));
        }
        self.roots.iter().map(|root| archive_at(root)).collect()
    }

    /// The one archive that is asked.
    pub(super) fn tier(&self) -> Result<Tier> {
        let mut tiers = self.tiers()?;
        match (tiers.pop(), tiers.is_empty()) {
            (Some(tier), true) => Ok(tier),
            _ => {
                let roots: Vec<_> =
                    self.roots.iter().map(|root| root.display().to_string()).collect();
                Err(Error::halt("this home has more than one archive")
                    .because("usage")
                    .help(format!("name one with --archive DIR: {}", roots.join(", "))))
            }
        }
    }

    fn wanted(&self, which: &Which) -> Result<Wanted> {
        let date = |day: &Option<tidemill_stages::dataset::Day>| {
            day.as_ref().map(|day| day.date(self.today)).transpose()
        };
        Ok(Wanted {
            dataset: Some(which.dataset.clone()),
            pipeline: which.pipeline.clone(),
            since: date(&which.since)?,
            until: date(&which.until)?,
            ..Wanted::default()
        })
    }

    /// The runs that are meant, by id.
    pub(super) fn runs(&self, tier: &Tier, which: &Which) -> Result<Vec<ArchivedRun>> {
        let mut runs = runs_of(tier, &self.wanted(which)?)?;
        let Some(id) = &which.run else { return Ok(runs) };
        runs.retain(|run| run.run == *id);
        if runs.is_empty() {
            return Err(Error::halt(format!("`{}` has no run {id} in that range", which.dataset))
                .because("run_missing")
                .help("`tidemill runs` lists runs; --since and --until may leave it out"));
        }
        Ok(runs)
    }
}
