//! Every morning: read the feeds, summarise what is new, keep it.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

/// One row of the `digests` table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Digest {
    url: String,
    title: String,
    summary: String,
    minutes: u64,
}

async fn digest(s: Summary) -> Result<Digest> {
    let minutes = s.words.div_ceil(200);
    Ok(Digest { url: s.url, title: s.title, summary: s.summary, minutes })
}

fn main() -> Outcome {
    let news = Pipeline::named("news")
        .read(Feed::file("seeds.txt")) // yields Link
        .then(Fetch::politely()) // Link → Page; bytes go to SSD scratch: raw_scrapes/*.warc.gz
        .then(Extract::article()) // Page → Document
        .then(Summarise::auto().in_words(80)) // Document → Summary; a local model, or key sentences
        .save(Parquet::dataset("llm_summaries"))
        .map(digest)
        .store(Table::named("digests").keyed_by("url")) // SQLite, published atomically per run
        .offload(
            Archive::at("nas") // a folder, or $TIDEMILL_ARCHIVE
                .increments(Keep::forever()) // raw_scrapes, llm_summaries: each run adds something new
                .snapshots(Keep::daily(30).weekly(12).monthly(24)), // sqlite: each run is a full copy
        );

    Mill::at("mill").daily("06:00", news).main() // this program is the command line: serve | run | …
}
