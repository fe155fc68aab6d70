//! Promise: the examples run as they stand.

use crate::support::fake_web::FakeWeb;
use std::sync::Arc;
use tidemill::pipeline::mill::{Home, HomeOptions};
use tidemill::pipeline::run::{RunOptions, RunReport};
use tidemill::prelude::Job;

#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/daily.rs"]
mod daily;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/first.rs"]
mod first;
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../examples/structured.rs"]
mod structured;

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
