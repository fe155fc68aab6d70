//! A mill in this process whose days the test lets pass, with a site, a model and an archive.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::site;
use crate::support::fake_ollama::{FakeOllama, TINY};
use crate::support::fake_web::FakeWeb;
use chrono::TimeDelta;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tempfile::TempDir;
use tidemill::digest::Digest;
use tidemill::prelude::*;
use tidemill_pipeline::clock::{Clock, ManualClock, Zone};
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::replay::{Forecast, Only, Selection};
use tidemill_pipeline::run::{RunOptions, RunReport};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::testing::rows;
use tidemill_pipeline::tier::{Presence, Tier, look};
use tidemill_pipeline::{Context, Fingerprint, Stage, Step};

/// The pipeline's name.
pub(super) const NEWS: &str = "news";
/// Its rows, with all that a reader can see of them.
pub(super) const ROWS: &str = "SELECT * FROM digests ORDER BY url";

pub(super) struct World {
    pub(super) web: FakeWeb,
    pub(super) ollama: FakeOllama,
    pub(super) home: Arc<Home>,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

/// How the pipeline is written today.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    /// Words of a summary.
    pub(super) words: u32,
    /// The model's name; none: key sentences.
    pub(super) model: Option<&'static str>,
    /// The version of a stage of one's own before the summary; 0: there is none.
    pub(super) stamp: u32,
}

/// Sixty words by the tiny model.
pub(super) const FIRST: Recipe = Recipe { words: 60, model: Some(TINY), stamp: 0 };

impl World {
    pub(super) fn new() -> Self {
        Self::with(&[TINY])
    }

    /// With a server that has these models.
    pub(super) fn with(models: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2025-03-01T06:00:00Z".parse().unwrap()));
        let home = open(&folder.path().join("home"), &clock);
        let (web, ollama) = (FakeWeb::start(), FakeOllama::serving(models));
        Self { web, ollama, home, clock, folder }
    }

    pub(super) fn job(&self, recipe: Recipe, seen: &Seen) -> Job {
        let summarise = match recipe.model {
            Some(name) => Summarise::with(Ollama::model(name).at(self.ollama.url())),
            None => Summarise::extractive(),
        };
        let crawl = Crawl::seeds([site::seed(&self.web)]).delay(Duration::ZERO);
        let mut documents = Pipeline::named(NEWS).read(crawl).then(Extract::article());
        if recipe.stamp > 0 {
            documents = documents.then(Stamp { version: recipe.stamp, seen: seen.clone() });
        }
        let summaries = documents.then(summarise.in_words(recipe.words));
        #[cfg(feature = "dataset")]
        let summaries = summaries.save(Parquet::dataset("llm_summaries"));
        summaries
            .save(HtmlPage::dataset("llm_summaries"))
            .map(digest)
            .store(Table::named("digests").keyed_by("url"))
            .offload(Archive::at("archive"))
    }

    /// Lets a day pass.
    pub(super) fn next_day(&self) {
        self.clock.set(self.clock.now() + TimeDelta::days(1));
    }

    /// Lets a day pass, and runs as every day.
    pub(super) async fn day(&self, recipe: Recipe) -> RunReport {
        self.next_day();
        self.home.run(&self.job(recipe, &Seen::default()), RunOptions::default()).await.unwrap()
    }

    /// Lets an hour pass, and replays; what is nothing makes no run.
    pub(super) async fn replay(&self, recipe: Recipe, only: Only) -> Option<RunReport> {
        self.replay_of(recipe, stale_or(only)).await.unwrap()
    }

    pub(super) async fn replay_of(
        &self,
        recipe: Recipe,
        selection: Selection,
    ) -> Result<Option<RunReport>> {
        self.clock.set(self.clock.now() + TimeDelta::hours(1));
        let job = self.job(recipe, &Seen::default());
        self.home.replay(&job, selection, RunOptions::default()).await
    }

    /// Forecasts, and looks whether that changed anything at all.
    pub(super) async fn foresee(&self, recipe: Recipe, only: Only) -> Forecast {
        self.foresee_of(recipe, stale_or(only)).await
    }

    pub(super) async fn foresee_of(&self, recipe: Recipe, selection: Selection) -> Forecast {
        let job = self.job(recipe, &Seen::default());
        let calls = self.ollama.started();
        let options = RunOptions::default();
        let forecast = self.home.foresee(&job, selection, options).await.unwrap();
        assert_eq!(self.ollama.started(), calls, "a forecast asks no model");
        forecast
    }

    pub(super) async fn roll_back(&self, run: &str) -> Result<serde_json::Value> {
        self.home.carry_out(Order::Rollback { run: run.into() }).await
    }

    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        rows(self.home.ledger().path(), sql).unwrap()
    }

    pub(super) fn root(&self) -> &Path {
        self.home.root()
    }

    pub(super) fn archive(&self) -> PathBuf {
        self.root().join("archive")
    }

    pub(super) fn tier(&self) -> Tier {
        match look(&self.archive(), None) {
            Presence::Here(tier) => tier,
            other => panic!("no archive: {other:?}"),
        }
    }

    /// Ends this process's hold on the home and gives what is left.
    pub(super) fn leave(self) -> (FakeWeb, FakeOllama, TempDir) {
        let Self { web, ollama, home, folder, .. } = self;
        drop(home);
        (web, ollama, folder)
    }
}

fn open(root: &Path, clock: &Arc<ManualClock>) -> Arc<Home> {
    let clock: Arc<dyn Clock> = clock.clone();
    let zone = Zone::named("UTC").unwrap();
    let options = HomeOptions { clock, zone, any_file_system: true, ..HomeOptions::owner() };
    Arc::new(Home::open(root, options).unwrap())
}

/// The raw pages of this kind.
pub(super) fn stale_or(only: Only) -> Selection {
    Selection { only, ..Selection::of("raw_scrapes") }
}

async fn digest(summary: Summary) -> Result<Digest> {
    Ok(Digest {
        url: summary.url,
        title: summary.title,
        summary: summary.summary,
        language: summary.language,
        published: summary.published,
        method: summary.method,
        model: summary.model,
        model_id: summary.model_id,
        words: summary.words,
    })
}

/// How often a stage has worked.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<AtomicUsize>);

impl Seen {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// A stage of one's own that writes its version into the title, so that the model is asked anew.
struct Stamp {
    version: u32,
    seen: Seen,
}

impl Step for Stamp {
    fn name(&self) -> &str {
        "stamp"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<Document> for Stamp {
    type Out = Document;

    async fn run(&self, mut document: Document, _cx: &Context) -> Result<Document> {
        self.seen.add();
        document.title = format!("{} v{}", document.title, self.version);
        Ok(document)
    }
}
