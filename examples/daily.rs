//! This mill will: read feeds every morning, summarise what is new, keep it.
//!
//! Try it: `cargo run --example daily -- run`, then `-- read`.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

/// One row of the `digests` table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Digest {
    url: String,
    title: String,
    summary: String,
    method: String,
}

async fn digest(s: Summary) -> Result<Digest> {
    Ok(Digest { url: s.url, title: s.title, summary: s.summary, method: s.method })
}

/// The pipeline; `demo:` is a bundled feed, yours are addresses.
pub(crate) fn news(feeds: impl IntoIterator<Item = impl Into<String>>) -> Job {
    Pipeline::named("news")
        .read(Feed::list(feeds))
        .then(Fetch::politely())
        .then(Extract::article())
        .then(Summarise::auto().in_words(60))
        .save(HtmlPage::dataset("llm_summaries"))
        .map(digest)
        .store(Table::named("digests").keyed_by("url"))
        .offload(Archive::at("archive").snapshots(Keep::daily(30).monthly(12)))
}

fn main() -> Outcome {
    Mill::at("data/daily").daily("06:00", news(["demo:"])).main()
}
