//! Tests of sitemaps, with the shared samples where they are near.
#![expect(clippy::print_stderr, reason = "tests")]

use super::{Sitemap, parse};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::{Path, PathBuf};
use url::Url;

fn base() -> Url {
    Url::parse("https://example.org/sitemaps/all.xml").unwrap()
}

fn read(text: &str) -> Sitemap {
    parse(text.as_bytes(), &base()).unwrap()
}

#[test]
fn a_urlset_is_read_whatever_its_namespace() {
    let found = read(
        "<?xml version='1.0'?><s:urlset xmlns:s='wrong' xmlns:image='i'>\
         <s:url><s:loc> https://example.org/a?x=1&amp;y=2&#38;z </s:loc><s:lastmod>2026-11</s:lastmod>\
         <image:image><image:loc>https://example.org/no.jpg</image:loc></image:image></s:url>\
         <url><loc><![CDATA[/b]]></loc><lastmod>2026-11-02T10:00+01:00</lastmod></url>\
         <url><loc>/c?d=1&e=2</loc></url><url><loc>mailto:me</loc></url><url/></s:urlset>",
    );
    let urls: Vec<&str> = found.pages.iter().map(|(url, _)| url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://example.org/a?x=1&y=2&z",
            "https://example.org/b",
            "https://example.org/c?d=1&e=2"
        ]
    );
    let dates: Vec<String> =
        found.pages.iter().filter_map(|(_, date)| *date).map(|date| date.to_rfc3339()).collect();
    assert_eq!(dates, ["2026-11-01T00:00:00+00:00", "2026-11-02T09:00:00+00:00"]);
    assert_eq!((found.skipped, found.flaw), (1, None));
}

#[test]
fn an_index_names_sitemaps() {
    let found = read(
        "<sitemapindex><sitemap><loc>/1.xml</loc><lastmod>x</lastmod></sitemap>\
                      <sitemap>https://example.org/2.xml</sitemap></sitemapindex>",
    );
    let urls: Vec<&str> = found.sitemaps.iter().map(Url::as_str).collect();
    assert_eq!(urls, ["https://example.org/1.xml", "https://example.org/2.xml"]);
    assert!(found.pages.is_empty());
}

#[test]
fn a_torn_sitemap_gives_what_it_has_and_says_so() {
    let found = read("<urlset><url><loc>https://example.org/a</loc></url><url><loc>https://exa");
    assert_eq!(found.pages.len(), 1);
    assert!(found.flaw.is_some());
}

#[test]
fn what_is_no_sitemap_is_parked() {
    for text in ["", "just words", "<html><body>x</body></html>", "<urlset", "<urlset><url>"] {
        let error = parse(text.as_bytes(), &base()).unwrap_err();
        assert_eq!(error.reason(), "not_a_sitemap", "{text}: {error}");
    }
    assert_eq!(parse(b"\x1f\x8b\x08\0broken", &base()).unwrap_err().reason(), "not_a_sitemap");
}

#[test]
fn a_bomb_is_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![b' '; 1024 * 1024];
    for _ in 0..65 {
        gzip.write_all(&zeros).unwrap();
    }
    assert_eq!(parse(&gzip.finish().unwrap(), &base()).unwrap_err().reason(), "too_large");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn every_shared_sample_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/sitemaps");
    if !Path::new(folder).exists() {
        eprintln!("skipped: no {folder}");
        return;
    }
    let mut counts = Vec::new();
    for path in files(Path::new(folder)) {
        let found = parse(&std::fs::read(&path).unwrap(), &base()).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(found.flaw, None, "{name}");
        counts.push((name, found.pages.len(), found.sitemaps.len()));
    }
    let count = |name: &str| counts.iter().find(|(n, ..)| n == name).map(|(_, p, s)| (*p, *s));
    for (name, wanted) in [
        ("atom.xml", (1, 0)),
        ("do-not-visit.txt", (1, 0)),
        ("sitemap-with-bom.txt", (2, 0)),
        ("sitemap.badns.xml", (2, 0)),
        ("sitemap.index.xml", (0, 15)),
        ("sitemap.ns.xml", (2, 0)),
        ("sitemap.txt", (2, 0)),
        ("sitemap.txt.gz", (5, 0)),
        ("xmlSitemap.gz", (5, 0)),
        ("sitemap-images.xml", (1, 0)),
        ("sitemap-links.xml", (3, 0)),
        ("sitemap-videos-tvshow.xml", (1, 0)),
    ] {
        assert_eq!(count(name), Some(wanted), "{name}");
    }
    assert_eq!(counts.len(), 18);
}
