//! Promise: WARC files of other programs are a source of pages, and the files may go afterwards.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use super::bench::{Bench, file_of, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use tidemill::prelude::*;
use tidemill_pipeline::run::{RunOptions, Stop};
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_stages::warc::{Kind, Reader, http};

const OLD: &str = "2024-05-01T10:00:00Z";
const NEW: &str = "2025-05-01T10:00:00Z";

/// A record as another program writes it.
fn record(kind: &str, url: &str, date: &str, content_type: &str, block: &[u8]) -> Vec<u8> {
    let head = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:x:{}>\r\nWARC-Date: {date}\r\n\
         WARC-Target-URI: {url}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        url.len(),
        block.len()
    );
    [head.as_bytes(), block, b"\r\n\r\n"].concat()
}

/// A response with these header lines.
fn response(url: &str, date: &str, status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nSet-Cookie: id=hush\r\n{headers}\r\n\r\n");
    let block = [head.as_bytes(), body].concat();
    record("response", url, date, "application/http;msgtype=response", &block)
}

fn page(url: &str, date: &str, words: &str) -> Vec<u8> {
    response(url, date, "200 OK", "Content-Type: text/html; charset=utf-8", html(words).as_bytes())
}

fn html(words: &str) -> String {
    format!("<html><title>{words}</title><p>{words}</p></html>")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A folder with a plain file and, deeper, one with a gzip member per record.
fn crawl(folder: &Path) -> PathBuf {
    let crawl = folder.join("crawl");
    std::fs::create_dir_all(crawl.join("b/c")).unwrap();
    let coded = gzip(html("coded twice").as_bytes());
    let chunked = [format!("{:x}\r\n", coded.len()).as_bytes(), &coded, b"\r\n0\r\n\r\n"].concat();
    let css = response("https://a.test/x.css", NEW, "200 OK", "Content-Type: text/css", b"p {}");
    let robots = response(
        "https://a.test/robots.txt",
        NEW,
        "200 OK",
        "Content-Type: text/plain",
        b"User-agent: *",
    );
    let feed = response(
        "https://a.test/feed",
        NEW,
        "200 OK",
        "Content-Type: text/xml",
        b"<rss version='2.0'/>",
    );
    let gone =
        response("https://a.test/gone", NEW, "404 Not Found", "Content-Type: text/html", b"<html>");
    let twice = "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip";
    let first = [
        record("warcinfo", "", NEW, "application/warc-fields", b"software: other/1\r\n"),
        page("https://a.test/1", OLD, "of last year"),
        page("https://A.test:443/2?utm_source=x&token=hush&id=7#top", NEW, "with a secret"),
        response("https://a.test/3", NEW, "200 OK", twice, &chunked),
        response(
            "https://a.test/4.txt",
            NEW,
            "206 Partial",
            "content-type: text/plain",
            b"plain words",
        ),
        css,
        robots,
        feed,
        gone,
        response("dns:a.test", NEW, "200 OK", "", b"x"),
    ];
    std::fs::write(crawl.join("a.warc"), first.concat()).unwrap();
    let second = [
        page("https://a.test/1", NEW, "of this year"),
        page("https://a.test/1", OLD, "of last year again"),
        record("revisit", "https://a.test/1", NEW, "application/http", b"HTTP/1.1 200 OK\r\n\r\n"),
        record("resource", "https://a.test/5", NEW, "text/html", html("a resource").as_bytes()),
        response(
            "https://a.test/6",
            NEW,
            "200 OK",
            "Content-Type: text/html\r\nContent-Encoding: br",
            b"\x0b\x02\x80hello\x03",
        ),
    ];
    let members: Vec<u8> = second.iter().flat_map(|record| gzip(record)).collect();
    std::fs::write(crawl.join("b/c/z.warc.gz"), members).unwrap();
    std::fs::write(crawl.join("b/notes.txt"), "no WARC, and not named like one").unwrap();
    crawl
}

const FOUND: [(&str, &str); 6] = [
    ("https://a.test/1", "of this year"),
    ("https://a.test/2?token=hidden&id=7", "with a secret"),
    ("https://a.test/3", "coded twice"),
    ("https://a.test/4.txt", "plain words"),
    ("https://a.test/5", "a resource"),
    ("https://a.test/6", "hello"),
];

fn read(source: Warc) -> Pipeline<Page> {
    Pipeline::named("import").read(source)
}

/// The bodies of the pages, read as a later run reads them: from the archive.
fn bodies(run: &ArchivedRun, pages: &[Page]) -> Vec<String> {
    let bytes = std::fs::read(file_of(run, ".warc.gz")).unwrap();
    let body = |page: &Page| {
        let (from, len) = (page.body.offset as usize, page.body.len as usize);
        let record = tidemill_stages::warc::decode(&bytes[from..from + len]).unwrap();
        String::from_utf8(http(&record).unwrap().body).unwrap()
    };
    pages.iter().map(body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_programs_are_kept_when_their_files_are_gone() -> Result<()> {
    let bench = Bench::new()?;
    let crawl = crawl(bench.rig.folder());
    let (run, pages) = bench.run(read(Warc::files([&crawl]))).await?;
    let urls: Vec<&str> = pages.iter().map(|page| page.url.as_str()).collect();
    assert_eq!(urls, FOUND.map(|(url, _)| url));
    std::fs::remove_dir_all(&crawl)?;
    for (body, (url, words)) in bodies(&run, &pages).iter().zip(FOUND) {
        assert!(body.contains(words), "{url}: {body}");
    }
    assert!(pages.iter().all(|page| page.fetched_at == NEW), "when it was captured");
    assert_eq!(pages[3].status, 206);
    assert_eq!(pages[0].content_type.as_deref(), Some("text/html; charset=utf-8"));

    // And what was imported is replayed like what was fetched.
    let reader = Source::replay(&Warc::files([&crawl])).unwrap();
    let index = reader.index(&run, &[])?;
    let places: Vec<u64> = index.iter().map(|item| item.place).collect();
    let mut again = reader.items(&run, &places)?;
    again.sort_by(|a, b| a.url.cmp(&b.url));
    assert_eq!(json(&again), json(&pages));
    for located in Reader::open(&file_of(&run, ".warc.gz"), 1 << 20)? {
        assert!(!String::from_utf8_lossy(&located?.record.block).contains("hush"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_passed_over_is_counted() -> Result<()> {
    let bench = Bench::new()?;
    let crawl = crawl(bench.rig.folder());
    let (report, _) = bench.report(read(Warc::files([&crawl])), RunOptions::default()).await?;
    let said = report.said.join("\n");
    let counts = "2 WARC files: 6 pages; records passed over: 1 about other records, 1 not answered \
                  with 2xx, 3 of other types, 2 older captures, 1 revisits, 1 without a web address";
    assert!(said.contains(counts), "{said}");
    let (report, _) =
        bench.report(read(Warc::files([&crawl]).any_type()), RunOptions::default()).await?;
    assert_eq!(report.items.done + report.items.unchanged, 9, "{:?}", report.said);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_as_it_was_is_neither_worked_on_nor_stored_again() -> Result<()> {
    let bench = Bench::new()?;
    let crawl = crawl(bench.rig.folder());
    bench.run(read(Warc::files([&crawl]))).await?;
    let later = page("https://a.test/3", "2026-01-01T00:00:00Z", "changed");
    std::fs::write(crawl.join("later.warc"), later)?;
    let (report, pages) = bench.report(read(Warc::files([&crawl])), RunOptions::default()).await?;
    assert_eq!((report.items.done, report.items.unchanged), (1, 5));
    assert_eq!(pages[0].url, "https://a.test/3");
    assert_eq!(responses(&bench.archived(&report)?), ["https://a.test/3"]);
    Ok(())
}

/// The addresses of all responses that a run stored.
fn responses(run: &ArchivedRun) -> Vec<String> {
    let records = Reader::open(&file_of(run, ".warc.gz"), 1 << 20).unwrap();
    let records = records.map(|located| located.unwrap().record);
    let mut urls: Vec<String> = records
        .filter(|record| record.kind == Kind::Response)
        .map(|record| record.target.unwrap())
        .collect();
    urls.sort();
    urls
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_stores_nothing_twice() -> Result<()> {
    let bench = Bench::new()?;
    let crawl = crawl(bench.rig.folder());
    let stop = Stop::default();
    let stopping =
        read(Warc::files([&crawl])).map_with(stop.clone(), |stop: Stop, page: Page| async move {
            stop.drain();
            Ok(page)
        });
    let stopped = bench.report(stopping, RunOptions { stop, ..RunOptions::default() }).await;
    assert_eq!(stopped.unwrap_err().reason(), "interrupted");
    // The same steps, so that it is the same run.
    let going_on = read(Warc::files([&crawl]))
        .map_with(Stop::default(), |_: Stop, page: Page| async move { Ok(page) });
    let (report, _) = bench.report(going_on, RunOptions::default()).await?;
    assert!(report.resumed);
    assert_eq!((report.items.done, report.items.parked), (6, 0), "{:?}", report.reasons);
    assert_eq!(responses(&bench.archived(&report)?), FOUND.map(|(url, _)| url));
    Ok(())
}

/// What was set aside: its key and its reason.
fn parked(bench: &Bench) -> Vec<String> {
    bench.rig.rows("SELECT key, reason FROM tm_parked_now ORDER BY key").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_file_yields_what_is_whole_and_is_set_aside() -> Result<()> {
    let bench = Bench::new()?;
    let folder = bench.rig.folder().join("torn");
    std::fs::create_dir(&folder)?;
    let pages = [1, 2].map(|n| page(&format!("https://a.test/{n}"), NEW, "whole"));
    let plain = pages.concat();
    std::fs::write(folder.join("plain.warc"), &plain[..plain.len() - 30])?;
    let zipped: Vec<u8> = [3, 4]
        .iter()
        .flat_map(|n| gzip(&page(&format!("https://a.test/{n}"), NEW, "whole")))
        .collect();
    std::fs::write(folder.join("zipped.warc.gz"), &zipped[..zipped.len() - 12])?;
    std::fs::write(folder.join("prose.warc"), "Once upon a tide")?;
    std::fs::write(folder.join("export.wacz"), b"PK\x03\x04rest")?;
    let broken = response(
        "https://a.test/9",
        NEW,
        "200 OK",
        "Content-Type: text/html\r\nContent-Encoding: gzip",
        b"\x1f\x8bno",
    );
    std::fs::write(folder.join("coding.warc"), broken)?;
    let (report, pages) = bench.report(read(Warc::files([&folder])), RunOptions::default()).await?;
    let urls: Vec<&str> = pages.iter().map(|page| page.url.as_str()).collect();
    assert_eq!(urls, ["https://a.test/1", "https://a.test/3"]);
    assert_eq!(report.items.parked, 5, "{:?}", report.reasons);
    let parked = parked(&bench).join("\n");
    for (name, reason) in [
        ("plain.warc", "warc_torn"),
        ("zipped.warc.gz", "warc_torn"),
        ("prose.warc", "warc_damaged"),
        ("export.wacz", "wacz"),
        ("https://a.test/9", "warc_http"),
    ] {
        assert!(
            parked.lines().any(|line| line.contains(name) && line.contains(reason)),
            "{name}: {parked}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_there_ends_the_run_before_it_begins() -> Result<()> {
    let bench = Bench::new()?;
    let crawl = crawl(bench.rig.folder());
    let empty = bench.rig.folder().join("empty");
    std::fs::create_dir(&empty)?;
    for (paths, reason) in
        [(vec![crawl, empty.join("none.warc")], "unreadable"), (vec![empty], "no_warc_files")]
    {
        let error =
            bench.report(read(Warc::files(paths)), RunOptions::default()).await.unwrap_err();
        assert_eq!(error.reason(), reason);
    }
    assert_eq!(bench.rig.rows("SELECT run_no FROM tm_runs")?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "says that it skips")]
async fn the_samples_of_warcio_are_read() -> Result<()> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/warc");
    if !samples.is_dir() {
        eprintln!("skipped: the samples of warcio: {} is not there", samples.display());
        return Ok(());
    }
    let bench = Bench::new()?;
    let (report, pages) =
        bench.report(read(Warc::files([&samples])), RunOptions::default()).await?;
    let urls: Vec<&str> = pages.iter().map(|page| page.url.as_str()).collect();
    assert_eq!(urls, ["http://example.com/", "http://www.iana.org/"], "{:?}", report.said);
    assert!(bodies(&bench.archived(&report)?, &pages)[1].contains("Internet Assigned Numbers"));
    let parked = parked(&bench);
    assert_eq!(parked.len(), 4, "{parked:?}");
    for name in ["example-bad-non-chunked.warc.gz", "example-trunc.warc", "example-wrong-chunks"] {
        assert!(parked.iter().any(|line| line.contains(name)), "{name}: {parked:?}");
    }
    Ok(())
}

/// About a minute. It is the highest memory of the whole process that is looked at, so it runs alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes half a gigabyte"]
async fn a_large_file_needs_little_memory() -> Result<()> {
    let bench = Bench::new()?;
    let file = bench.rig.folder().join("large.warc");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for n in 0..2000 {
        let words = format!("{n} ").repeat(60_000);
        out.write_all(&page(&format!("https://a.test/{n}"), NEW, &words))?;
    }
    out.flush()?;
    drop(out);
    let (report, _) = bench.report(read(Warc::files([&file])), RunOptions::default()).await?;
    assert_eq!(report.items.done, 2000);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    assert!(kib < 256 << 10, "{line}");
    Ok(())
}
