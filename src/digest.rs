//! The ready-made pipeline: feeds, sitemaps or pages in, a table of digests out.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tidemill_pipeline::keep::Keep;
use tidemill_pipeline::{Archive, Job, Pipeline, Result};
use tidemill_stages::crawl::Crawl;
use tidemill_stages::dataset::HtmlPage;
#[cfg(feature = "dataset")]
use tidemill_stages::dataset::Parquet;
use tidemill_stages::extract::Extract;
use tidemill_stages::llm::{Ollama, Summarise, Summary};
use tidemill_stages::sqlite::Table;

/// The pipeline's name, and with it the name of its folders in the archive.
pub const NAME: &str = "digest";

/// One row of the `digests` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The page's address: the key.
    pub url: String,
    /// Its title.
    pub title: String,
    /// The summary.
    pub summary: String,
    /// Its language, ISO 639-1.
    pub language: Option<String>,
    /// When it was published, `YYYY-MM-DD`.
    pub published: Option<String>,
    /// How the summary was made: `model`, `extractive`, `verbatim`.
    pub method: String,
    /// The model, when one was used.
    pub model: Option<String>,
    /// The model's id (the hash of its weights).
    pub model_id: Option<String>,
    /// Words of the summary.
    pub words: u64,
}

/// What the ready-made pipeline is made from.
#[derive(Debug, Clone)]
pub struct DigestOptions {
    /// Feeds, sitemaps or pages: recognised by their content.
    pub seeds: Vec<String>,
    /// Links to follow from pages; 0 means the seeds only.
    pub depth: u32,
    /// The most pages that one run takes.
    pub pages: u64,
    /// The most new or changed pages that one run works on; the rest waits.
    pub limit: Option<u64>,
    /// A model on Ollama; without one, `auto`.
    pub model: Option<String>,
    /// Words of a summary.
    pub words: u32,
    /// The pause between two requests to one host.
    pub delay: Duration,
}

impl Default for DigestOptions {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            depth: 0,
            pages: 1000,
            limit: None,
            model: None,
            words: 80,
            delay: Duration::from_secs(1),
        }
    }
}

/// The ready-made pipeline.
#[must_use]
pub fn job(options: &DigestOptions) -> Job {
    let summarise = match &options.model {
        Some(name) => Summarise::with(Ollama::model(name)),
        None => Summarise::auto(),
    };
    let crawl = Crawl::seeds(options.seeds.clone())
        .depth(options.depth)
        .pages(options.pages)
        .delay(options.delay);
    let mut pipeline = Pipeline::named(NAME)
        .read(crawl)
        .then(Extract::article())
        .then(summarise.in_words(options.words));
    #[cfg(feature = "dataset")]
    {
        pipeline = pipeline.save(Parquet::dataset("llm_summaries"));
    }
    if let Some(limit) = options.limit {
        pipeline = pipeline.limit(limit);
    }
    pipeline
        .save(HtmlPage::dataset("llm_summaries"))
        .map(digest)
        .store(Table::named("digests").keyed_by("url"))
        .offload(
            Archive::at("archive")
                .increments(Keep::forever())
                .snapshots(Keep::daily(30).weekly(12).monthly(24)),
        )
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
