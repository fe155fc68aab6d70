//! This mill will: read the news on weekday mornings, releases every six hours, and the pages of a
//! site whenever the news was read.
//!
//! Try it: `cargo run --example scheduled -- schedule`, then `-- serve`.

use std::time::Duration;
use tidemill::prelude::*;

/// A pipeline of one table: the pages behind a list of feeds, with their titles.
pub(crate) fn titles(name: &str, feeds: impl IntoIterator<Item = impl Into<String>>) -> Job {
    let pages = Pipeline::named(name).read(Feed::list(feeds)).then(Fetch::politely());
    let rows = pages.then(Extract::article()).map(row);
    rows.store(Table::named(format!("{name}_titles")).keyed_by("url"))
        .offload(Archive::at("archive").snapshots(Keep::daily(30)))
}

/// One row.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Title {
    url: String,
    title: String,
}

async fn row(page: Document) -> Result<Title> {
    Ok(Title { url: page.url, title: page.title })
}

/// The mill with its schedules; `demo:` is a bundled feed, yours are addresses.
pub(crate) fn mill() -> Mill {
    Mill::at("data/scheduled")
        .cron("30 6 * * mon-fri", titles("news", ["demo:"]))
        .zone("Europe/Amsterdam") // not the system's
        .catch_up(CatchUp::Last) // a Monday that was slept through is made up for, once
        .every("6h", titles("releases", ["demo:"]))
        .jitter(Duration::from_secs(600)) // up to ten minutes later, always the same
        .overlap(Overlap::Skip)
        .after("news", titles("site", ["demo:"]))
}

fn main() -> Outcome {
    mill().main()
}
