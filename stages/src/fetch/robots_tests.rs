//! Tests of the robots.txt matcher, with the reference parser's expectations where they are near.
#![expect(clippy::print_stderr, reason = "tests")]

use super::{CAP, Robots};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Expectation {
    test: String,
    robots: String,
    agent: String,
    url: String,
    allowed: bool,
}

/// The path and query as they are written: the expectations hold characters that `Url` escapes.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?']).map_or("/", |at| &rest[at..])
}

#[test]
fn the_reference_parsers_expectations_are_met() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/corpora/robots/google-robotstxt-expectations.json"
    );
    let Ok(json) = std::fs::read(path) else {
        eprintln!("skipped: no {path}");
        return;
    };
    let all: Vec<Expectation> = serde_json::from_slice(&json).unwrap();
    let ours = all.iter().filter(|e| !e.test.starts_with("GoogleOnly_"));
    let checked = ours
        .map(|e| {
            let verdict = Robots::parse(e.robots.as_bytes()).check(&e.agent, path_of(&e.url));
            assert_eq!(
                verdict.allowed, e.allowed,
                "{} {} {}\n{}",
                e.test, e.agent, e.url, e.robots
            );
        })
        .count();
    assert!(checked >= 70, "only {checked} expectations");
}

#[test]
fn the_line_and_the_rule_are_told() {
    let text = b"\xef\xbb\xbf# hello\r\nUser-agent: *\r\nDisallow: /private # keep out\r\nAllow: /";
    let verdict = Robots::parse(text).check("tidemill", "/private/x");
    assert!(!verdict.allowed);
    assert_eq!((verdict.line, verdict.rule.as_deref()), (Some(3), Some("Disallow: /private")));
    let nothing = Robots::parse(b"<html>not found</html>").check("tidemill", "/");
    assert_eq!((nothing.allowed, nothing.line), (true, None));
}

#[test]
fn old_line_ends_count_as_lines() {
    let robots = Robots::parse(b"User-agent: *\rDisallow: /a\r\rDisallow: /b\r\n\nDisallow: /c\n");
    let line = |path| robots.check("x", path).line;
    assert_eq!((line("/a"), line("/b"), line("/c")), (Some(2), Some(4), Some(6)));
}

#[test]
fn stars_and_the_end_sign_match_as_written() {
    let blocked = |rule: &str, path: &str| {
        !Robots::parse(format!("User-agent: *\nDisallow: {rule}").as_bytes())
            .check("x", path)
            .allowed
    };
    for (rule, path, wanted) in [
        ("/*.pdf$", "/a/b.pdf", true),
        ("/*.pdf$", "/a/b.pdf?x", false),
        ("/a*$", "/abc", true),
        ("/a$b", "/a$bc", true),
        ("*/x", "/y/x/z", true),
        ("/a**b", "/azzb", true),
        ("/a*b*c$", "/abcbc", true),
        ("/a*b*c$", "/abcb", false),
        ("/%e3%83", "/%E3%83%84", true),
        ("/%E3", "/%e3x", true),
        ("", "/", false),
    ] {
        assert_eq!(blocked(rule, path), wanted, "{rule} {path}");
    }
    assert!(Robots::parse(b"User-agent: *\nDisallow: /").check("x", "/robots.txt").allowed);
}

#[test]
fn delays_and_sitemaps_are_read() {
    let robots = Robots::parse(
        b"User-agent: tidemill\nCrawl-delay: 2.5\nUser-agent: *\nCrawl-delay: 10\nDisallow: /x\n\
          Sitemap: https://example.org/s.xml\nUser-agent: bad\nCrawl-delay: -1\nDisallow: /\n",
    );
    assert_eq!(robots.crawl_delay("someone"), Some(Duration::from_secs(10)));
    assert_eq!(robots.crawl_delay("TideMill/1.0"), Some(Duration::from_secs(10)));
    assert_eq!(robots.crawl_delay("bad"), None);
    assert_eq!(robots.sitemaps(), ["https://example.org/s.xml"]);
}

#[test]
fn a_rule_that_the_cap_cuts_is_not_read() {
    let mut text = b"User-agent: *\nDisallow: /first\n".to_vec();
    text.resize(CAP - 14, b'#');
    text.extend_from_slice(b"\nDisallow: /private\n");
    let robots = Robots::parse(&text);
    assert!(!robots.check("x", "/first").allowed);
    assert!(robots.check("x", "/p").allowed);
}

#[test]
fn a_hostile_pattern_is_not_slow() {
    let rule = format!("User-agent: *\nDisallow: /{}b$", "*a".repeat(500));
    let path = format!("/{}", "a".repeat(8_000));
    assert!(Robots::parse(rule.as_bytes()).check("x", &path).allowed);
}
