//! RSS, Atom and JSON Feed to entries: what a feed says is there, newest first.

use crate::fetch::canonical::resolve;
use chrono::{DateTime, Utc};
use feed_rs::model;
use std::cmp::Reverse;
use std::collections::HashSet;
use tidemill_pipeline::{Error, Fingerprint, Result};
use url::Url;

/// One entry of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The canonical address of the page.
    pub url: Url,
    /// The feed's own id of the entry; the address when the feed gives none.
    pub guid: String,
    /// The title as plain text or markup, as the feed has it; it may be empty.
    pub title: String,
    /// When the entry was last updated, or else published.
    pub updated: Option<DateTime<Utc>>,
    /// Changes when the guid, the date or the title does: the entry is to be read again.
    pub content: Fingerprint,
}

/// What a feed holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    /// The entries, newest first; those without a date come last, in the feed's order.
    pub entries: Vec<Entry>,
    /// How many entries were left out because they link to no page.
    pub skipped: usize,
}

/// Parses a feed of any format, as the bytes that came; `base` is its own address.
///
/// # Errors
/// *Park* with reason `not_a_feed` when the bytes are something else, or broken.
pub fn parse(bytes: &[u8], base: &Url) -> Result<Entries> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let parser = feed_rs::parser::Builder::new()
        .base_uri(Some(base.as_str()))
        // An id made from the title would change with it; a missing one becomes the address.
        .id_generator(|_, _, _| String::new())
        .build();
    let feed = parser.parse(bytes).map_err(|error| not_a_feed(bytes, error))?;
    let all = feed.entries.len();
    let mut entries: Vec<Entry> =
        feed.entries.into_iter().filter_map(|entry| entry_of(entry, base)).collect();
    let skipped = all - entries.len();
    entries.sort_by_key(|entry| Reverse(entry.updated));
    let mut seen = HashSet::new();
    entries.retain(|entry| seen.insert(entry.guid.clone()));
    Ok(Entries { entries, skipped })
}

fn entry_of(entry: model::Entry, base: &Url) -> Option<Entry> {
    let url = link_of(&entry).and_then(|href| resolve(base, href))?;
    let guid = if entry.id.is_empty() { url.to_string() } else { entry.id };
    let title = entry.title.map(|text| text.content.trim().to_owned()).unwrap_or_default();
    let updated = entry.updated.or(entry.published);
    let content = Fingerprint::of(&(&guid, updated, &title));
    Some(Entry { url, guid, title, updated, content })
}

/// The link to the page itself; in RSS a guid that is an address may be the only one.
fn link_of(entry: &model::Entry) -> Option<&str> {
    let is_page = |link: &&model::Link| {
        matches!(link.rel.as_deref(), None | Some("" | "alternate")) && !link.href.is_empty()
    };
    let guid = Some(entry.id.as_str()).filter(|id| is_web(id));
    entry.links.iter().find(is_page).map(|link| link.href.as_str()).or(guid)
}

fn is_web(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn not_a_feed(bytes: &[u8], error: feed_rs::parser::ParseFeedError) -> Error {
    use crate::fetch::sniff::{Kind, sniff};
    let (what, help) = match sniff(None, bytes) {
        Kind::Html => (
            "a web page",
            "use the address of its feed: look for a link of type rss or atom in the page's head",
        ),
        Kind::Sitemap | Kind::SitemapIndex => {
            ("a sitemap", "read it with `Crawl::seeds`, not `Feed`")
        }
        Kind::Feed => ("a broken feed", "open the address: the site has to repair the feed"),
        _ => ("something else", "open the address and check that it is an RSS, Atom or JSON feed"),
    };
    Error::park(format!("this is no feed but {what}"))
        .because("not_a_feed")
        .help(help)
        .caused_by(error)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
