//! Our own parts under the public suites.

use crate::support::fake_web::FakeWeb;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tidemill::prelude::{
    Crawl, Extract, Feed, Fetch, HtmlPage, Link, Links, Page, Result, Select, Summarise, Table,
    Warc,
};
use tidemill_pipeline::testing::{
    FileSinkSuite, LedgerSinkSuite, Lines, Rig, SourceSuite, StageSuite,
};

#[tokio::test]
async fn lines_and_links_are_good_sources() -> Result<()> {
    let rig = Rig::new()?;
    SourceSuite::of(|| Lines::of(["ebb", "flow", "slack", "neap"])).check(&rig).await?;
    let pages = (0..4).map(|n| format!("https://example.org/{n}"));
    SourceSuite::of(|| Links::of(pages.clone())).check(&rig).await
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_are_a_good_source_given_in_code_or_in_a_file() -> Result<()> {
    let (rig, web) = (Rig::new()?, FakeWeb::start().site(6));
    let feed = web.url("/feed.xml");
    SourceSuite::of(|| Feed::list([&feed]).delay(Duration::ZERO)).check(&rig).await?;
    let seeds = rig.folder().join("seeds.txt");
    std::fs::write(&seeds, format!("# feeds\n{feed}\n"))?;
    SourceSuite::of(|| Feed::file(&seeds).delay(Duration::ZERO)).check(&rig).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_is_a_good_source() -> Result<()> {
    let (rig, web) = (Rig::new()?, FakeWeb::start().site(6));
    let crawl = || Crawl::site(web.url("/")).delay(Duration::ZERO);
    SourceSuite::of(crawl).in_hand(16).check(&rig).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_programs_are_a_good_source() -> Result<()> {
    let rig = Rig::new()?;
    let file = rig.folder().join("crawl.warc");
    let page = |n: u32| {
        let block = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>{n}</html>");
        format!(
            "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:x:{n}>\r\n\
             WARC-Date: 2025-05-01T10:00:00Z\r\nWARC-Target-URI: https://a.test/{n}\r\n\
             Content-Length: {}\r\n\r\n{block}\r\n\r\n",
            block.len()
        )
    };
    std::fs::write(&file, (0..8).map(page).collect::<String>())?;
    SourceSuite::of(|| Warc::files([&file])).check(&rig).await
}

/// Two pages whose bodies lie on this rig's scratch.
async fn pages(rig: &Rig, web: &FakeWeb) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for path in ["/articles/1", "/articles/2"] {
        let fetch = Fetch::politely().delay(Duration::ZERO);
        let worked = rig.stage_keyed(fetch, path, Link::to(web.url(path))).await?;
        assert!(worked.artifacts.iter().all(|file| file.is_file()) && !worked.artifacts.is_empty());
        pages.push(worked.result?);
    }
    Ok(pages)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stages_of_a_digest_are_good_stages() -> Result<()> {
    let (rig, web) = (Rig::new()?, FakeWeb::start().site(2));
    let pages = pages(&rig, &web).await?;
    StageSuite::of(Extract::article, pages.clone()).check(&rig).await?;
    let document = rig.stage(Extract::article(), pages[0].clone()).await?.result?;
    StageSuite::of(|| Summarise::extractive().in_words(20), [document]).check(&rig).await?;
    StageSuite::of(|| Select::new().text("title", "h1"), pages).check(&rig).await?;
    let links = ["/articles/1", "/articles/2"].map(|path| Link::to(web.url(path)));
    // When a page was fetched, and in which file of which run it lies, differs from run to run.
    StageSuite::of(|| Fetch::politely().delay(Duration::ZERO), links).varies().check(&rig).await
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tide {
    place: Option<String>,
    metres: f64,
    marks: Vec<String>,
}

fn tide(place: &str, metres: f64) -> Tide {
    Tide { place: Some(place.into()), metres, marks: vec!["spring".into()] }
}

#[tokio::test]
async fn a_table_is_a_good_ledger_sink() -> Result<()> {
    let rows = [tide("Dover", 6.7), tide("Brest", 7.1), tide("Cuxhaven", 2.9)];
    let suite = LedgerSinkSuite::of(
        || Table::named("tides").keyed_by::<Tide>("place"),
        rows,
        tide("Dover", 5.0),
    );
    let nowhere = Tide { place: None, ..tide("", 0.0) };
    suite.refuses(nowhere).check(&Rig::new()?).await
}

#[tokio::test]
async fn datasets_are_good_file_sinks() -> Result<()> {
    let (rig, rows) = (Rig::new()?, [tide("Dover", 6.7), tide("Brest", 7.1)]);
    FileSinkSuite::of(|| HtmlPage::dataset("tides"), rows.clone()).check(&rig).await?;
    #[cfg(feature = "dataset")]
    FileSinkSuite::of(|| tidemill::prelude::Parquet::dataset("tides"), rows).check(&rig).await?;
    Ok(())
}
