//! Tests of feeds.

use super::{Entries, parse};
use tidemill_pipeline::Verdict;
use url::Url;

fn read(text: &str) -> Entries {
    parse(text.as_bytes(), &Url::parse("https://example.org/feeds/all.xml").unwrap()).unwrap()
}

fn urls(text: &str) -> Vec<String> {
    read(text).entries.into_iter().map(|entry| entry.url.into()).collect()
}

const RSS: &str = r#"
<rss version="2.0"><channel><title>t</title><link>https://example.org/</link><description>d</description>
<item><title>old</title><link>https://example.org/old?utm_source=rss</link><guid isPermaLink="false">1</guid>
  <pubDate>Mon, 02 Nov 2026 10:00:00 GMT</pubDate></item>
<item><title>no date</title><link>/relative</link></item>
<item><title>new</title><guid>https://example.org/new</guid><pubDate>Tue, 03 Nov 2026 10:00:00 +0100</pubDate></item>
<item><title>no link</title><guid isPermaLink="false">4</guid></item>
<item><title>old again</title><link>https://example.org/old2</link><guid isPermaLink="false">1</guid>
  <pubDate>Sun, 01 Nov 2026 10:00:00 GMT</pubDate></item>
</channel></rss>"#;

#[test]
fn rss_entries_come_newest_first_and_linkless_ones_are_counted() {
    assert_eq!(
        urls(RSS),
        ["https://example.org/new", "https://example.org/old", "https://example.org/relative"]
    );
    let feed = read(RSS);
    assert_eq!(feed.skipped, 1);
    assert_eq!(feed.entries[1].guid, "1");
    assert_eq!(feed.entries[1].title, "old");
    assert_eq!(feed.entries[0].updated.unwrap().to_rfc3339(), "2026-11-03T09:00:00+00:00");
    assert_eq!(feed.entries[2].guid, "https://example.org/relative", "stable without a guid");
}

#[test]
fn the_content_hash_follows_guid_date_and_title() {
    let before = read(RSS).entries;
    assert_eq!(before, read(RSS).entries);
    let retitled = read(&RSS.replace("<title>new<", "<title>newer<")).entries;
    assert_ne!(before[0].content, retitled[0].content);
    assert_eq!(before[0].guid, retitled[0].guid);
    assert_eq!(before[1].content, retitled[1].content);
}

#[test]
fn atom_and_json_feeds_are_read_too() {
    let atom = r#"<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>f</id>
        <updated>2026-11-01T00:00:00Z</updated><entry><id>urn:1</id><title>a</title>
        <updated>2026-11-01T00:00:00Z</updated><link rel="edit" href="/edit"/><link href="../page"/></entry></feed>"#;
    assert_eq!(urls(atom), ["https://example.org/page"]);
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"t",
        "items":[{"id":"9","url":"https://example.org/j","content_text":"x","date_published":"2026-11-01T00:00:00Z"}]}"#;
    assert_eq!(urls(json), ["https://example.org/j"]);
    assert_eq!(read(json).entries[0].guid, "9");
}

#[test]
fn what_is_no_feed_is_parked_with_advice() {
    let base = Url::parse("https://example.org/").unwrap();
    for (text, word) in [
        ("<!doctype html><html><body>hello</body></html>", "web page"),
        ("<urlset><url><loc>https://a/</loc></url></urlset>", "sitemap"),
        ("", "something else"),
        ("{\"a\": 1}", "something else"),
        ("<rss version=\"2.0\"><channel><item>", "broken feed"),
    ] {
        let error = parse(text.as_bytes(), &base).unwrap_err();
        assert_eq!((error.verdict(), error.reason()), (Verdict::Park, "not_a_feed"), "{text}");
        assert!(error.message().contains(word), "{text}: {error}");
        assert!(error.guidance().is_some());
    }
}
