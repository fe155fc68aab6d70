//! Promise: the examples run as they stand.

use crate::support::fake_web::FakeWeb;
use crate::support::program::files_like;
use std::sync::Arc;
use tidemill::pipeline::mill::{Home, HomeOptions};
use tidemill::pipeline::replay::{Only, Selection};
use tidemill::pipeline::run::{RunOptions, RunReport};
use tidemill::prelude::Job;

#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/daily.rs"]
mod daily;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/first.rs"]
mod first;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/own_sink.rs"]
mod own_sink;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/own_stage.rs"]
mod own_stage;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/replay.rs"]
mod replay;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/scheduled.rs"]
mod scheduled;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/structured.rs"]
mod structured;
#[cfg(feature = "dataset")]
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/weekly_report.rs"]
mod weekly_report;

async fn run(folder: &tempfile::TempDir, job: &Job) -> RunReport {
    let home = Arc::new(Home::open(folder.path(), HomeOptions::owner()).unwrap());
    home.run(job, RunOptions::default()).await.unwrap()
}

fn count(folder: &tempfile::TempDir, sql: &str) -> i64 {
    let ledger = rusqlite::Connection::open(folder.path().join("tidemill.db")).unwrap();
    ledger.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn first_counts_words_without_model_and_archive() {
    let (web, folder) = (FakeWeb::start().site(1), tempfile::tempdir().unwrap());
    let report = run(&folder, &first::words([web.url("/articles/1")])).await;
    assert_eq!((report.items.done, report.offload.state.as_str()), (1, "none"));
    assert_eq!(count(&folder, "SELECT count(*) FROM words WHERE words > 100"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn structured_reads_declared_fields() {
    let (web, folder) = (FakeWeb::start().site(2), tempfile::tempdir().unwrap());
    let job = structured::headings(&web.url("/articles/1"));
    run(&folder, &job).await;
    let sql = "SELECT count(*) FROM headings WHERE title IS NOT NULL AND links > 0";
    assert!(count(&folder, sql) >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_reads_feeds_and_keeps_what_it_read() {
    let (web, folder) = (FakeWeb::start().site(2), tempfile::tempdir().unwrap());
    let job = daily::news([web.url("/feed.xml")]);
    let report = run(&folder, &job).await;
    assert_eq!((report.items.done, report.offload.state.as_str()), (2, "done"));
    let again = run(&folder, &job).await;
    assert_eq!((again.items.done, again.items.unchanged, again.changed_rows), (0, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_stage_fetches_what_it_made_of_the_address() {
    let html = "<h1>Tides</h1><p>The print version of a page about tides and mills.</p>";
    let (web, folder) = (FakeWeb::start().page("/tides/print", html), tempfile::tempdir().unwrap());
    let report = run(&folder, &own_stage::prints([web.url("/tides"), web.url("/?q=tide")])).await;
    assert_eq!((report.items.done, report.items.parked), (1, 1));
    let sql = "SELECT count(*) FROM prints WHERE text LIKE '%print version%'";
    assert_eq!(count(&folder, sql), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_sink_leaves_its_list_in_the_archive() {
    let (web, folder) = (FakeWeb::start().site(2), tempfile::tempdir().unwrap());
    let report = run(&folder, &own_sink::links(&web.url("/feed.xml"))).await;
    assert_eq!((report.items.done, report.offload.state.as_str()), (2, "done"));
    let lists = files_like(&folder.path().join("nas"), "addresses.txt");
    let [list] = lists.as_slice() else { panic!("{lists:?}") };
    let text = std::fs::read_to_string(list).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("/articles/")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_makes_longer_summaries_and_fetches_nothing() {
    let (web, folder) = (FakeWeb::start().site(2), tempfile::tempdir().unwrap());
    let site = web.url("/");
    let home = Arc::new(Home::open(folder.path(), HomeOptions::owner()).unwrap());
    let first = home.run(&replay::shorts(&site, 10), RunOptions::default()).await.unwrap();
    let hits = || web.hits("/") + web.hits("/articles/1") + web.hits("/articles/2");
    let (asked, words) = (hits(), "SELECT sum(words) FROM shorts");
    let few = count(&folder, words);
    let (longer, stale) = (replay::shorts(&site, 40), Selection::of("raw_scrapes"));
    let stale = Selection { only: Only::Stale, ..stale };
    let again = || home.replay(&longer, stale.clone(), RunOptions::default());
    let report = again().await.unwrap().unwrap();
    assert_eq!(report.items.done, first.items.done);
    assert!(count(&folder, words) > few);
    assert_eq!(hits(), asked, "a page was fetched");
    assert!(again().await.unwrap().is_none(), "nothing is stale any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_has_three_times_and_its_jobs_run() {
    let mill = scheduled::mill();
    mill.check().unwrap();
    let texts =
        mill.planned().iter().map(|planned| planned.timing.as_ref().unwrap().schedule.text());
    assert_eq!(texts.collect::<Vec<_>>(), ["30 6 * * mon-fri", "every 6h", "after news"]);
    let (web, folder) = (FakeWeb::start().site(2), tempfile::tempdir().unwrap());
    let report = run(&folder, &scheduled::titles("news", [web.url("/feed.xml")])).await;
    assert_eq!((report.items.done, report.items.parked), (2, 0));
    assert_eq!(count(&folder, "SELECT count(*) FROM news_titles WHERE title <> ''"), 2);
}

#[cfg(feature = "dataset")]
#[tokio::test(flavor = "multi_thread")]
async fn weekly_report_sums_up_what_another_mill_saved() {
    use tidemill::prelude::{
        Archive, Archived, Extract, Feed, Fetch, Parquet, Pipeline, Summarise,
    };
    let (web, folder) = (FakeWeb::start().site(3), tempfile::tempdir().unwrap());
    let news = Pipeline::named("news")
        .read(Feed::list([web.url("/feed.xml")]))
        .then(Fetch::politely())
        .then(Extract::article())
        .then(Summarise::extractive().in_words(20))
        .save(Parquet::dataset("llm_summaries"))
        .offload(Archive::at("archive"));
    run(&folder, &news).await;
    let weeks = tempfile::tempdir().unwrap();
    let week = Archived::dataset("llm_summaries").at(folder.path().join("archive")).since("6d");
    let report = run(&weeks, &weekly_report::weekly(week)).await;
    assert_eq!((report.items.parked, report.offload.state.as_str()), (0, "done"));
    assert_eq!(count(&weeks, "SELECT articles FROM weeks"), 3);
    let made = "SELECT count(*) FROM weeks WHERE summary LIKE '%extractive 3%'";
    assert_eq!(count(&weeks, made), 1);
    let [page] = &files_like(&weeks.path().join("archive"), "digest.html")[..] else { panic!() };
    assert!(std::fs::read_to_string(page).unwrap().contains("3 articles, the longest: "));
}
