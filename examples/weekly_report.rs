//! This mill will: every Monday, make one page of what the archive of the news holds of the last week.
//!
//! Try it: `TIDEMILL_ARCHIVE=ARCHIVE cargo run --example weekly_report -- run`.

use serde::{Deserialize, Serialize};
use tidemill::polars::df;
use tidemill::polars::prelude::{AnyValue, DataFrame, SortMultipleOptions};
use tidemill::prelude::*;

/// One row of the `weeks` table, and of the page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Week {
    title: String,
    summary: String,
    url: String,
    articles: u64,
}

/// The rows of a frame as `en model 12, de model 3`.
fn listed(frame: &DataFrame) -> String {
    let rows = (0..frame.height()).filter_map(|n| frame.get(n));
    let row =
        |row: Vec<AnyValue<'_>>| row.iter().map(|v| v.str_value()).collect::<Vec<_>>().join(" ");
    rows.map(row).collect::<Vec<_>>().join(", ")
}

async fn week(all: Vec<Summary>) -> Result<Week> {
    let day = |s: &Summary| s.published.as_ref().and_then(|at| at.get(..10)).map(str::to_owned);
    let frame = df!(
        "day" => all.iter().map(day).collect::<Vec<_>>(),
        "language" => all.iter().map(|s| s.language.clone()).collect::<Vec<_>>(),
        "method" => all.iter().map(|s| s.method.clone()).collect::<Vec<_>>(),
        "words" => all.iter().map(|s| s.words).collect::<Vec<_>>(),
    )?;
    let by = |names: &[&str]| frame.group_by(names)?.select(["words"]).count();
    let kinds = by(&["language", "method"])?
        .sort(["language", "method"], SortMultipleOptions::default())?;
    let days = by(&["day"])?.sort(["day"], SortMultipleOptions::default())?;
    let longest = all.iter().max_by_key(|s| s.words).ok_or_else(|| Error::park("an empty week"))?;
    let (kinds, days) = (listed(&kinds), listed(&days));
    let title = format!("{} articles, the longest: {}", all.len(), longest.title);
    let summary = format!("By language and method: {kinds}. By day: {days}.");
    Ok(Week { title, summary, url: longest.url.clone(), articles: all.len() as u64 })
}

/// The pipeline over what another one saved.
pub(crate) fn weekly(summaries: impl Source<Item = Summary>) -> Job {
    Pipeline::named("weekly")
        .read(summaries)
        .chunks(100_000) // all of a week as one list
        .map(week)
        .save(HtmlPage::dataset("weekly"))
        .store(Table::named("weeks").keyed_by("title"))
        .offload(Archive::at("archive"))
}

fn main() -> Outcome {
    let summaries = Archived::dataset("llm_summaries").of("news").since("6d");
    Mill::at("data/weekly").cron("0 7 * * mon", weekly(summaries)).main()
}
