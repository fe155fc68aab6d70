//! The ready-made pipeline: feeds, sitemaps or pages in, a table of digests out.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use tidemill_pipeline::keep::Keep;
use tidemill_pipeline::ledger::JobRow;
use tidemill_pipeline::{Archive, Error, Job, Pipeline, Result};
use tidemill_stages::crawl::Crawl;
use tidemill_stages::dataset::HtmlPage;
#[cfg(feature = "dataset")]
use tidemill_stages::dataset::Parquet;
use tidemill_stages::extract::Extract;
use tidemill_stages::feed::listed;
use tidemill_stages::llm::{Ollama, Summarise, Summary};
use tidemill_stages::sqlite::Table;

/// The pipeline's name, and with it the name of its folders in the archive.
pub const NAME: &str = "digest";

/// Its table.
pub const TABLE: &str = "digests";

/// How a home names the kind of job.
pub const KIND: &str = "digest";

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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DigestOptions {
    /// The pipeline's name.
    pub name: String,
    /// Feeds, sitemaps or pages: recognised by their content.
    pub seeds: Vec<String>,
    /// A file with more of them, read anew whenever the home makes the job: one address per line,
    /// or OPML.
    pub from: Option<PathBuf>,
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
            name: NAME.into(),
            seeds: Vec::new(),
            from: None,
            depth: 0,
            pages: 1000,
            limit: None,
            model: None,
            words: 80,
            delay: Duration::from_secs(1),
        }
    }
}

/// The ready-made pipeline from what a home remembers of it.
///
/// # Errors
/// When it is of another kind, or the file with its seeds cannot be read.
pub fn make(row: &JobRow) -> Result<Job> {
    if row.kind != KIND {
        return Err(Error::halt(format!("`{}` is a job of the kind `{}`", row.pipeline, row.kind))
            .because("bad_job")
            .help("use the tidemill that remembered it"));
    }
    let options: DigestOptions = serde_json::from_value(row.body.clone())
        .map_err(|e| Error::halt(format!("`{}` cannot be read", row.pipeline)).caused_by(e))?;
    // What was run by hand has none: it can be replayed, not run.
    let bare = options.seeds.is_empty() && options.from.is_none();
    let seeds = if bare { vec![] } else { seeds(&options)? };
    Ok(job(&DigestOptions { seeds, from: None, ..options }))
}

/// All its seeds, those in its file too.
///
/// # Errors
/// When the file cannot be read, or there is no seed at all.
pub fn seeds(options: &DigestOptions) -> Result<Vec<String>> {
    let mut seeds = options.seeds.clone();
    if let Some(file) = &options.from {
        seeds.extend(listed(file)?);
    }
    if seeds.is_empty() {
        return Err(Error::halt("no address was given").because("usage").help(
            "name feeds, sitemaps or pages, for instance: tidemill digest https://lwn.net/headlines/rss",
        ));
    }
    Ok(seeds)
}

/// The ready-made pipeline on the seeds that stand in the options themselves.
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
    let mut pipeline = Pipeline::named(&options.name)
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
        .store(Table::named(TABLE).keyed_by("url"))
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
