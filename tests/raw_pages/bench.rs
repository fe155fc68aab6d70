//! A mill with an archive, and the pages that went through its pipelines.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tidemill::prelude::*;
use tidemill_pipeline::run::{RunOptions, RunReport};
use tidemill_pipeline::testing::Rig;
use tidemill_pipeline::tier::{ArchivedRun, Presence, Tier, init, look, runs};

type Seen = Arc<Mutex<Vec<Page>>>;

pub(super) struct Bench {
    pub(super) rig: Rig,
    seen: Seen,
}

impl Bench {
    pub(super) fn new() -> Result<Self> {
        let rig = Rig::new()?;
        init(&rig.folder().join("nas"), None, "2026-01-01T00:00:00Z".parse()?)?;
        Ok(Self { rig, seen: Seen::default() })
    }

    /// Runs a pipeline in which nothing is parked and returns what it left in `raw_scrapes`, with
    /// the pages that it saw.
    pub(super) async fn run(&self, pages: Pipeline<Page>) -> Result<(ArchivedRun, Vec<Page>)> {
        let (report, seen) = self.report(pages, RunOptions::default()).await?;
        assert_eq!(report.items.parked, 0, "{:?}", report.reasons);
        Ok((self.archived(&report)?, seen))
    }

    /// Runs a pipeline; the pages that it saw are in the order of their addresses.
    pub(super) async fn report(
        &self,
        pages: Pipeline<Page>,
        options: RunOptions,
    ) -> Result<(RunReport, Vec<Page>)> {
        let watched = pages.map_with(Arc::clone(&self.seen), |seen: Seen, page: Page| async move {
            seen.lock().unwrap().push(page.clone());
            Ok(page)
        });
        let nas = self.rig.folder().join("nas");
        let report = self.rig.run_with(watched.offload(Archive::at(&nas)), options).await;
        let mut pages = std::mem::take(&mut *self.seen.lock().unwrap());
        pages.sort_by(|a, b| a.url.cmp(&b.url));
        Ok((report?, pages))
    }

    /// What a run left in `raw_scrapes`.
    pub(super) fn archived(&self, report: &RunReport) -> Result<ArchivedRun> {
        let all = runs(&archive(&self.rig.folder().join("nas")))?.into_iter();
        let mut of = all.filter(|run| run.dataset == "raw_scrapes" && run.run == report.run);
        Ok(of.next().unwrap())
    }
}

pub(super) fn archive(root: &Path) -> Tier {
    match look(root, None) {
        Presence::Here(tier) => tier,
        other => panic!("no archive: {other:?}"),
    }
}

/// The file of a run with this ending.
pub(super) fn file_of(run: &ArchivedRun, ending: &str) -> PathBuf {
    run.files_ending(ending).next().unwrap()
}

pub(super) fn json(pages: &[Page]) -> Vec<String> {
    pages.iter().map(|page| serde_json::to_string(page).unwrap()).collect()
}
