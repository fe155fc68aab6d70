//! Promise: a site goes in; rows, WARC, Parquet, page and snapshot come out, and all can be read by
//! others.

use crate::support::fake_web::FakeWeb;
use crate::support::program::{Place, ended, files_like, python};
use std::process::Command;

const PAGES: u32 = 200;

fn crawl(place: &Place, web: &FakeWeb, code: i32) -> serde_json::Value {
    let seed = web.url("/sitemap.xml");
    place.json(code, &["digest", &seed, "--delay", "0s", "--pages", "500"])
}

#[test]
fn a_site_of_200_pages_ends_in_rows_files_and_a_verified_archive() {
    let web = FakeWeb::start().site(PAGES as usize);
    let place = Place::new();
    let report = crawl(&place, &web, 0);
    assert_eq!(report["items"]["parked"], 0, "{report}");
    let rows = place.count("SELECT count(*) FROM digests WHERE url LIKE '%/articles/%'");
    assert_eq!(rows, i64::from(PAGES));
    assert_eq!(web.hits("/private/ledger"), 0, "robots.txt forbids it");
    assert_eq!(web.max_parallel(), 1, "one request at a time per host");

    let archive = place.archive();
    assert_eq!(place.scratch(), Vec::<std::path::PathBuf>::new());
    every_url_is_in_the_index(&place);
    others_read_the_warc(&place);
    parquet_opens_in_polars(&place);
    others_read_the_parquet(&place);
    the_snapshot_holds_the_published_table_only(&place);
    let html = std::fs::read_to_string(&files_like(&archive, "digest.html")[0]).unwrap();
    assert!(!html.contains("<script"), "no scripts");
    assert!(html.matches("<article").count() >= 200, "one entry per row");

    place.run(&["verify"]).code(0);
    let warc = &files_like(&archive, ".warc.gz")[0];
    let mut bytes = std::fs::read(warc).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(warc, bytes).unwrap();
    let found = place.run(&["verify"]).code(2);
    assert!(found.stdout.contains("part-0000.warc.gz"), "{}", found.stdout);
}

#[test]
fn a_second_run_over_an_unchanged_site_takes_no_body_and_notes_what_it_saw() {
    let web = FakeWeb::start().site(40);
    let place = Place::new();
    crawl(&place, &web, 0);
    let (bodies, rows) =
        (web.bodies(), place.texts("SELECT url || summary FROM digests ORDER BY 1"));
    let second = crawl(&place, &web, 0);
    assert_eq!(web.bodies(), bodies, "no page body was sent again");
    assert_eq!(second["items"]["done"], 0, "{second}");
    assert_eq!(second["calls_made"], 0);
    assert_eq!(second["changed_rows"], 0);
    let seen = "SELECT count(*) FROM tm_items JOIN tm_runs USING (run_no) WHERE tm_items.state = 4 AND id = ";
    let seen = place.count(&format!("{seen}'{}'", second["run"].as_str().unwrap()));
    assert_eq!(seen, second["items"]["unchanged"].as_i64().unwrap());
    assert!(seen >= 40, "{second}");
    assert_eq!(place.texts("SELECT url || summary FROM digests ORDER BY 1"), rows);

    // One page changes: one row changes.
    web.revise(3, 99);
    let third = crawl(&place, &web, 0);
    assert_eq!(third["items"]["done"], 1, "{third}");
    assert_eq!(third["changed_rows"], 1);
    assert_eq!(web.bodies(), bodies + 1);
}

#[test]
fn links_are_followed_to_the_depth_that_was_asked_for_and_no_further() {
    let web = FakeWeb::start().site(30);
    let place = Place::new();
    let seed = web.url("/articles/1");
    place.run(&["digest", &seed, "--delay", "0s"]).code(0);
    assert_eq!(place.count("SELECT count(*) FROM digests"), 1, "depth 0 is the seed only");
    place.run(&["digest", &seed, "--delay", "0s", "--depth", "2", "--pages", "5"]).code(0);
    assert_eq!(place.count("SELECT count(*) FROM digests"), 5, "the page budget holds");
    assert_eq!(web.hits("/private/ledger"), 0);
}

#[test]
fn what_is_over_the_limit_waits_and_comes_with_the_next_run() {
    let web = FakeWeb::start().site(9);
    let place = Place::new();
    let run = || {
        let seed = web.url("/sitemap.xml");
        place.json(0, &["digest", &seed, "--delay", "0s", "--limit", "4"])
    };
    assert_eq!(run()["items"]["done"], 4);
    assert_eq!(place.count("SELECT count(*) FROM digests"), 4);
    run();
    run();
    assert!(place.count("SELECT count(*) FROM digests") >= 9);
}

#[test]
fn feeds_and_lists_of_them_are_recognised() {
    let web = FakeWeb::start().site(30);
    let place = Place::new();
    let opml = format!("<opml><body><outline xmlUrl='{}'/></body></opml>", web.url("/atom.xml"));
    std::fs::write(place.path("feeds.opml"), opml).unwrap();
    let report = place.json(0, &["digest", "--from", "feeds.opml", "--delay", "0s"]);
    assert_eq!(report["items"]["done"], 20, "a first read takes the 20 newest: {report}");
    web.grow(32);
    let report = place.json(0, &["digest", "--from", "feeds.opml", "--delay", "0s"]);
    assert_eq!(report["items"]["done"], 2, "then what is new: {report}");
    web.revise(5, 7);
    let report = place.json(0, &["digest", "--from", "feeds.opml", "--delay", "0s"]);
    assert_eq!(report["items"]["done"], 1, "and what is updated, also of the old ones: {report}");
}

fn every_url_is_in_the_index(place: &Place) {
    let index = &files_like(&place.archive(), ".cdxj")[0];
    let index = std::fs::read_to_string(index).unwrap();
    for url in place.texts("SELECT url FROM digests") {
        assert!(index.contains(&format!("\"url\":\"{url}\"")), "{url} is in no WARC");
    }
}

fn others_read_the_warc(place: &Place) {
    let Some(python) = python("warcio check") else { return };
    let warc = &files_like(&place.archive(), ".warc.gz")[0];
    let check = Command::new(python).args(["-m", "warcio.cli", "check"]).arg(warc).output();
    let check = ended(check.unwrap()).code(0);
    assert!(!check.stdout.contains("failed"), "{}", check.stdout);
}

#[cfg(feature = "dataset")]
fn parquet_opens_in_polars(place: &Place) {
    use polars::prelude::{ParquetReader, SerReader};
    let file = std::fs::File::open(&files_like(&place.archive(), ".parquet")[0]).unwrap();
    let frame = ParquetReader::new(file).finish().unwrap();
    assert_eq!(frame.height() as i64, place.count("SELECT count(*) FROM digests"));
    for column in ["url", "summary", "method", "_key", "_run", "_input", "_steps", "_model"] {
        assert!(frame.column(column).is_ok(), "{column} in {:?}", frame.get_column_names());
    }
}

#[cfg(not(feature = "dataset"))]
fn parquet_opens_in_polars(_place: &Place) {}

fn others_read_the_parquet(place: &Place) {
    if !cfg!(feature = "dataset") {
        return;
    }
    let Some(python) = python("DuckDB on Parquet") else { return };
    let glob = place.archive().join("llm_summaries/*/dt=*/run=*/*.parquet");
    let script = "import duckdb, sys; print(duckdb.sql(f\"select count(distinct _key) from \
                  read_parquet('{sys.argv[1]}', hive_partitioning=true)\").fetchall()[0][0])";
    let counted = Command::new(python).args(["-c", script]).arg(glob).output().unwrap();
    let counted = ended(counted).code(0).stdout;
    assert_eq!(counted.trim(), place.count("SELECT count(*) FROM digests").to_string());
}

fn the_snapshot_holds_the_published_table_only(place: &Place) {
    let snapshot = &files_like(&place.archive(), ".sqlite")[0];
    let snapshot = rusqlite::Connection::open(snapshot).unwrap();
    let text = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    let tables = text("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'");
    assert_eq!(tables, "digests");
    let rows = text("SELECT CAST(count(*) AS TEXT) FROM digests");
    assert_eq!(rows, place.count("SELECT count(*) FROM digests").to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_pipelines_that_fetch_at_once_in_one_home_keep_their_captures_apart() {
    use std::sync::Arc;
    use tidemill::pipeline::mill::{Home, HomeOptions};
    use tidemill::pipeline::run::RunOptions;
    use tidemill::prelude::*;
    use tidemill::stages::extract::Document;

    // Two sites, so that neither waits for the other's turn.
    let (webs, folder) =
        ([FakeWeb::start().site(40), FakeWeb::start().site(40)], tempfile::tempdir().unwrap());
    let home = Arc::new(Home::open(folder.path(), HomeOptions::owner()).unwrap());
    let run = async |name: &'static str, web: &FakeWeb| {
        let pages: Vec<String> = (1..=40).map(|n| web.url(&format!("/articles/{n}"))).collect();
        let fetch = Fetch::politely().delay(std::time::Duration::ZERO);
        let pages = Pipeline::named(name).read(Links::of(pages)).then(fetch);
        // The extractor reads each body back from the WARC, by its offset and hash.
        let job =
            pages.then(Extract::article()).store(Table::named(name).keyed_by::<Document>("url"));
        home.run(&job.into(), RunOptions::default()).await.unwrap()
    };
    let (one, two) = tokio::join!(run("ebb", &webs[0]), run("flow", &webs[1]));
    for report in [one, two] {
        assert_eq!((report.items.done, report.items.parked), (40, 0), "{:?}", report.reasons);
    }
}
