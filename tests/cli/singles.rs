//! Sources make an item of what a person names: an address, a line, an item in JSON.

use crate::support::fake_web::FakeWeb;
use std::sync::Arc;
use std::time::Duration;
use tidemill::pipeline::mill::{Home, HomeOptions};
use tidemill::pipeline::run::{RunOptions, Stop, TrialReport};
use tidemill::pipeline::testing::Lines;
use tidemill::prelude::*;

async fn tried(pipeline: impl Into<Job>, what: &str) -> Result<TrialReport> {
    let folder = tempfile::tempdir().unwrap();
    let home = Arc::new(Home::open(folder.path(), HomeOptions::owner())?);
    home.try_one(&pipeline.into(), what, RunOptions::default()).await
}

fn fetch() -> Fetch {
    Fetch::politely().delay(Duration::ZERO)
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_feeds_take_an_address_that_they_do_not_list() {
    let web = FakeWeb::start().site(3);
    let page = web.url("/articles/2");
    let links = || Pipeline::named("links").read(Links::of(["http://127.0.0.1:1/"])).then(fetch());
    let report = tried(links(), &page).await.unwrap();
    assert_eq!(report.steps[0].output["url"], page.as_str());
    assert_eq!(report.steps[1].output["status"], 200, "{report:#?}");
    let json = format!("{{\"url\":\"{page}\",\"title\":null,\"found_on\":null}}");
    assert!(tried(links(), &json).await.unwrap().ended.is_none());
    assert!(tried(links(), "no address").await.is_err());

    let feed = web.url("/feed.xml");
    let feeds = || Pipeline::named("feeds").read(Feed::list([&feed]).delay(Duration::ZERO));
    assert_eq!(tried(feeds(), &page).await.unwrap().steps[0].output["url"], page.as_str());
    let newest = tried(feeds(), &feed).await.unwrap();
    assert_eq!(newest.steps[0].output["url"], web.url("/articles/3").as_str(), "{newest:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_takes_a_page_or_the_newest_page_of_a_feed() {
    let web = FakeWeb::start().site(3);
    let crawl = || {
        let seeds: [&str; 0] = [];
        Pipeline::named("crawl").read(Crawl::seeds(seeds).delay(Duration::ZERO))
    };
    let page = tried(crawl(), &web.url("/articles/1")).await.unwrap();
    assert_eq!(page.steps[0].output["final_url"], web.url("/articles/1").as_str());
    let feed = tried(crawl(), &web.url("/feed.xml")).await.unwrap();
    assert_eq!(feed.steps[0].output["url"], web.url("/articles/3").as_str());
    assert!(feed.said[0].contains("is a feed"), "{feed:?}");
    let error = tried(crawl(), &web.url("/sitemap.xml")).await.unwrap_err();
    assert!(error.to_string().contains("one of the pages"), "{error}");
    let denied = tried(crawl(), &web.url("/private/ledger")).await.unwrap_err();
    assert_eq!(denied.reason(), "robots_denied", "a trial is as polite as a run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_a_line() {
    let shout = |line: String| async move { Ok(line.to_uppercase()) };
    let nothing: [&str; 0] = [];
    let report = tried(Pipeline::named("shout").read(Lines::of(nothing)).map(shout), "ebb").await;
    assert_eq!(report.unwrap().steps[1].output, "EBB");
}

/// A run that goes on needs the bundled site though its feed is not read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_finds_the_bundled_site() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Stop::default();
    let halt = stop.clone();
    let job = Pipeline::named("demo").read(Feed::list(["demo:"]).delay(Duration::ZERO));
    let job = job.filter(move |_| {
        halt.abort();
        true
    });
    let job: Job = job.then(fetch()).into();
    let home = || Home::open(folder.path(), HomeOptions::owner()).map(Arc::new);
    let stopped = home().unwrap().run(&job, RunOptions { stop, ..RunOptions::default() }).await;
    assert_eq!(stopped.unwrap_err().reason(), "interrupted");

    // As if the source had been through; in another program, where nothing serves the site yet.
    let ledger = rusqlite::Connection::open(folder.path().join("tidemill.db")).unwrap();
    ledger.execute("UPDATE tm_runs SET source_done = 1", []).unwrap();
    let report = home().unwrap().run(&job, RunOptions::default()).await.unwrap();
    assert!(report.resumed && report.items.done > 0, "{report:#?}");
    assert_eq!(report.items.parked, 0, "{report:#?}");
}
