//! Sitemaps to addresses: XML, index, plain text, gzip, and feeds that serve as sitemaps.

use crate::fetch::canonical::resolve;
use crate::fetch::decode;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use std::io::Read;
use tidemill_pipeline::{Error, Result};
use url::Url;

/// The most bytes that a sitemap may have, decompressed; the protocol allows 50 MB.
pub const CAP: u64 = 64 * 1024 * 1024;

/// What a sitemap holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sitemap {
    /// The pages, in their order, with the date of the last change where it is told.
    pub pages: Vec<(Url, Option<DateTime<Utc>>)>,
    /// Further sitemaps.
    pub sitemaps: Vec<Url>,
    /// How many entries were left out because they hold no `http` or `https` address.
    pub skipped: usize,
    /// Why the rest of a broken file could not be read; what came before it is here.
    pub flaw: Option<String>,
}

impl Sitemap {
    fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.sitemaps.is_empty()
    }

    fn page(&mut self, base: &Url, address: &str, changed: Option<DateTime<Utc>>) {
        match resolve(base, address) {
            Some(url) => self.pages.push((url, changed)),
            None => self.skipped += 1,
        }
    }

    fn sitemap(&mut self, base: &Url, address: &str) {
        match resolve(base, address) {
            Some(url) => self.sitemaps.push(url),
            None => self.skipped += 1,
        }
    }
}

/// Parses a sitemap, compressed or not; `base` is its own address.
///
/// Namespaces are not looked at, for many sitemaps have wrong ones or none.
///
/// # Errors
/// *Park* with reason `not_a_sitemap` when nothing in it can be read as one, or `too_large`.
pub fn parse(bytes: &[u8], base: &Url) -> Result<Sitemap> {
    let inflated;
    let bytes = if bytes.starts_with(b"\x1f\x8b") {
        inflated = inflate(bytes)?;
        inflated.as_slice()
    } else {
        bytes
    };
    if bytes.len() as u64 > CAP {
        return Err(too_large());
    }
    let text = decode(bytes, None).text;
    let text = text.trim_start();
    if text.starts_with('<') { parse_xml(text, base) } else { parse_text(text, base) }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(CAP + 1).read_to_end(&mut out);
    read.map_err(|error| not_a_sitemap("its gzip data is damaged").caused_by(error))?;
    Ok(out)
}

/// One address per line.
fn parse_text(text: &str, base: &Url) -> Result<Sitemap> {
    let mut sitemap = Sitemap::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // In plain text a relative address cannot be told from a word.
        if line.starts_with("http://") || line.starts_with("https://") {
            sitemap.page(base, line, None);
        } else {
            sitemap.skipped += 1;
        }
    }
    if sitemap.pages.is_empty() {
        return Err(not_a_sitemap("no line of it is a web address"));
    }
    Ok(sitemap)
}

fn parse_xml(text: &str, base: &Url) -> Result<Sitemap> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    let mut walk = Walk::new(base);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => walk.start(&tag.local_name().as_ref().to_ascii_lowercase()),
            Ok(Event::End(_)) => walk.end(),
            Ok(Event::Text(text)) => walk.text.push_str(&text),
            Ok(Event::CData(text)) => walk.text.push_str(&text),
            Ok(Event::GeneralRef(name)) => walk.text.push_str(&expand(&name)),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                walk.found.flaw = Some(error.to_string());
                break;
            }
        }
    }
    walk.finish(text)
}

/// Where the parser stands, and what the entry it is in has told so far.
struct Walk<'a> {
    base: &'a Url,
    /// The local names of the open elements.
    path: Vec<String>,
    text: String,
    address: Option<String>,
    changed: Option<DateTime<Utc>>,
    is_sitemap: bool,
    found: Sitemap,
}

impl<'a> Walk<'a> {
    fn new(base: &'a Url) -> Self {
        Self {
            base,
            path: Vec::new(),
            text: String::new(),
            address: None,
            changed: None,
            is_sitemap: false,
            found: Sitemap::default(),
        }
    }

    fn start(&mut self, name: &str) {
        if self.path.is_empty() {
            self.is_sitemap |= matches!(name, "urlset" | "sitemapindex");
        }
        if self.path.len() == 1 {
            (self.address, self.changed) = (None, None);
        }
        self.path.push(name.to_owned());
        self.text.clear();
    }

    fn end(&mut self) {
        let Some(name) = self.path.pop() else { return };
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        // Only `url/loc` counts: an `image/loc` one level down is no page.
        match (self.path.len(), name.as_str()) {
            (2, "loc") if !text.is_empty() => self.address = Some(text.to_owned()),
            (2, "lastmod") => self.changed = date(text),
            (1, "url") => self.close_page(),
            (1, "sitemap") => self.close_sitemap(text),
            _ => {}
        }
    }

    fn close_page(&mut self) {
        match self.address.take() {
            Some(address) => self.found.page(self.base, &address, self.changed),
            None => self.found.skipped += 1,
        }
    }

    /// Some indexes put the address straight into `sitemap`, without a `loc`.
    fn close_sitemap(&mut self, text: &str) {
        let address = self.address.take().or_else(|| Some(text.to_owned()));
        match address.filter(|address| !address.is_empty()) {
            Some(address) => self.found.sitemap(self.base, &address),
            None => self.found.skipped += 1,
        }
    }

    fn finish(self, text: &str) -> Result<Sitemap> {
        let mut found = self.found;
        if !self.is_sitemap {
            return feed_as_sitemap(text, self.base);
        }
        if found.flaw.is_none() && !self.path.is_empty() {
            found.flaw = Some("the file ends in the middle".to_owned());
        }
        match &found.flaw {
            Some(flaw) if found.is_empty() => Err(not_a_sitemap(flaw)),
            _ => Ok(found),
        }
    }
}

/// The protocol lets a feed be a site's sitemap.
fn feed_as_sitemap(text: &str, base: &Url) -> Result<Sitemap> {
    let feed = super::parse::parse(text.as_bytes(), base).map_err(|error| {
        not_a_sitemap("it is neither a sitemap nor a feed").caused_by(error.into_boxed())
    })?;
    let pages = feed.entries.into_iter().map(|entry| (entry.url, entry.updated)).collect();
    Ok(Sitemap { pages, skipped: feed.skipped, ..Sitemap::default() })
}

/// `&amp;` and its like; an entity that XML does not know stays as it is written.
fn expand(name: &BytesRef<'_>) -> String {
    if let Ok(Some(c)) = name.resolve_char_ref() {
        return c.to_string();
    }
    match quick_xml::escape::resolve_xml_entity(name) {
        Some(text) => text.to_owned(),
        None => format!("&{};", &**name),
    }
}

/// A W3C date: a year, a month, a day, or a time with its offset. Anything else is no date.
fn date(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.to_utc());
    }
    if let Ok(date) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z") {
        return Some(date.to_utc());
    }
    if let Ok(date) = text.parse::<NaiveDateTime>() {
        return Some(date.and_utc());
    }
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let day = day.parse::<NaiveDate>().ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

fn too_large() -> Error {
    Error::park(format!("the sitemap is over {CAP} bytes"))
        .because("too_large")
        .help("name the smaller sitemaps of the site one by one, or crawl it")
}

fn not_a_sitemap(what: &str) -> Error {
    Error::park(format!("this is no sitemap: {what}"))
        .because("not_a_sitemap")
        .help("open the address; the site's robots.txt names its sitemaps")
}

#[cfg(test)]
#[path = "sitemap_tests.rs"]
mod tests;
