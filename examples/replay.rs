//! This mill will: read a site and keep its pages; when its summaries are to be longer or shorter, it
//! makes them again from the archive, and fetches nothing.
//!
//! Try it: `cargo run --example replay -- run`, then, with `WORDS=40` in the environment,
//! `cargo run --example replay -- replay --from raw_scrapes --only stale --dry-run`, and the same
//! without `--dry-run`.

use tidemill::prelude::*;

/// One row.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Short {
    url: String,
    summary: String,
    words: u64,
}

async fn row(s: Summary) -> Result<Short> {
    Ok(Short { url: s.url, summary: s.summary, words: s.words })
}

/// The pages of a site, each in so many words; `demo:` is a bundled site.
pub(crate) fn shorts(site: &str, words: u32) -> Job {
    Pipeline::named("shorts")
        .read(Crawl::site(site).depth(1)) // keeps every page in raw_scrapes: a way back in
        .then(Extract::article())
        .then(Summarise::auto().in_words(words)) // another number makes its answers stale
        .map(row)
        .store(Table::named("shorts").keyed_by("url"))
        .offload(Archive::at("archive"))
}

fn main() -> Outcome {
    let words = std::env::var("WORDS").ok().and_then(|words| words.parse().ok()).unwrap_or(20);
    Mill::at("data/replay").daily("06:00", shorts("demo:", words)).main()
}
