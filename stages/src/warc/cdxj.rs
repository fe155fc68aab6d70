//! The index beside a WARC file: one sorted CDXJ line per capture, looked up by address.

use super::http::{HttpPart, http};
use super::origin;
use super::record::{Kind, Record};
use crate::fetch::sniff::{self, sniff};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use tidemill_pipeline::{Error, Fingerprint, Result};
use url::Url;

/// The format of the timestamps: 14 digits, UTC.
const TIMESTAMP: &str = "%Y%m%d%H%M%S";

/// The media type of a response that names none, as the common indexers write it.
const NO_TYPE: &str = "unk";

/// What stands for the media type of a revisit.
const REVISIT: &str = "warc/revisit";

/// One capture: `key timestamp {json}`, as pywb and its relatives read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The address in SURT form (see [`surt`]); several spellings share one.
    pub key: String,
    /// When it was captured, to the second.
    pub date: DateTime<Utc>,
    /// The rest.
    pub place: Place,
}

/// What the JSON of a line holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The address as the record has it.
    pub url: String,
    /// The media type; `warc/revisit` for a revisit.
    pub mime: String,
    /// The status code, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The payload digest, when the record has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where the record begins, in bytes.
    #[serde(with = "as_text")]
    pub offset: u64,
    /// How long it is in the file, in bytes.
    #[serde(with = "as_text")]
    pub length: u64,
    /// The file that holds it.
    pub filename: String,
    /// The key of the item that it became, when it is not the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The address that answered, when it is not the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_url: Option<String>,
    /// The `Content-Type` header, when it says more than `mime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The hash of a response's decoded body. A line without it is an older one, or one of another
    /// program, and says nothing of items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<Fingerprint>,
    /// `false` of what was captured on the way to items: a feed, a sitemap.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub item: bool,
}

impl Line {
    /// The line of a record at a place; `None` when the record is no capture of an address.
    ///
    /// # Errors
    /// When the record is a response, but cannot be parsed as one.
    pub fn of(record: &Record, offset: u64, length: u64, filename: &str) -> Result<Option<Self>> {
        let Some(url) = record.target.as_deref() else { return Ok(None) };
        let part = match &record.kind {
            Kind::Revisit | Kind::Response => Some(http(record)?),
            Kind::Other(name) if name == "resource" => None,
            _ => return Ok(None),
        };
        let content_type = match &part {
            Some(part) => part.header("Content-Type"),
            None => record.header("Content-Type"),
        };
        let is_revisit = record.kind == Kind::Revisit;
        let mime = if is_revisit { REVISIT.to_owned() } else { media_type(content_type) };
        let mut place = Place {
            url: url.to_owned(),
            mime,
            status: part.as_ref().map(|part| part.status.to_string()),
            digest: record.header("WARC-Payload-Digest").map(str::to_owned),
            offset,
            length,
            filename: filename.to_owned(),
            key: None,
            final_url: None,
            content_type: None,
            blake3: None,
            item: true,
        };
        if let Some(part) = part.filter(|_| !is_revisit) {
            place.add_item(record, &part);
        }
        Ok(Some(Self { key: surt(url), date: record.date, place }))
    }

    /// Reads one line.
    ///
    /// # Errors
    /// When it is no CDXJ line.
    pub fn parse(line: &str) -> Result<Self> {
        let mut words = line.trim_end().splitn(3, ' ');
        let words = (words.next(), words.next(), words.next());
        let (Some(key), Some(date), Some(json)) = words else {
            return Err(bad("it is not `key timestamp {json}`"));
        };
        let date = NaiveDateTime::parse_from_str(date, TIMESTAMP)
            .map_err(|error| bad("its timestamp is not 14 digits").caused_by(error))?;
        let place = serde_json::from_str(json)
            .map_err(|error| bad("its JSON lacks something").caused_by(error))?;
        Ok(Self { key: key.to_owned(), date: date.and_utc(), place })
    }

    fn to_text(&self) -> Result<String> {
        let json = serde_json::to_string(&self.place)?;
        Ok(format!("{} {} {json}\n", self.key, self.date.format(TIMESTAMP)))
    }
}

impl Place {
    /// Adds what a response says of its item. One that says nothing is an item unless it looks like
    /// a list of pages: the records of the first archives did not tell.
    fn add_item(&mut self, record: &Record, part: &HttpPart) {
        let (content_type, key) = (part.header("Content-Type"), origin::key_of(record));
        let looks_so = || !is_listing(sniff(content_type, &part.body));
        self.item = !origin::is_no_item(record) && (key.is_some() || looks_so());
        self.key = key.filter(|key| *key != self.url);
        self.final_url = origin::final_url_of(record).map(str::to_owned);
        let says_more = |text: &&str| *text != self.mime || self.mime == NO_TYPE;
        self.content_type = content_type.filter(says_more).map(str::to_owned);
        self.blake3 = Some(Fingerprint::of_bytes(&part.body));
    }

    /// The `Content-Type` header, as far as the line says it.
    #[must_use]
    pub fn full_type(&self) -> Option<&str> {
        let mime = Some(self.mime.as_str()).filter(|mime| *mime != NO_TYPE);
        self.content_type.as_deref().or(mime)
    }

    /// The address that answered.
    #[must_use]
    pub fn final_url(&self) -> &str {
        self.final_url.as_deref().unwrap_or(&self.url)
    }

    /// Whether the body is stored elsewhere.
    #[must_use]
    pub fn is_revisit(&self) -> bool {
        self.mime == REVISIT
    }
}

fn is_listing(kind: sniff::Kind) -> bool {
    use sniff::Kind::{Feed, Sitemap, SitemapIndex, SitemapText};
    matches!(kind, Feed | Sitemap | SitemapIndex | SitemapText)
}

/// The text of an index: the lines, sorted by their bytes.
///
/// # Errors
/// When a line has no JSON form, which does not happen with lines made here.
pub fn to_text(lines: &[Line]) -> Result<String> {
    let mut lines: Vec<String> = lines.iter().map(Line::to_text).collect::<Result<_>>()?;
    lines.sort_unstable();
    Ok(lines.concat())
}

/// All captures of an address in a sorted index, oldest first, found by bisection.
///
/// An index says the same of addresses that differ only in the case of their path, in `www.` or
/// in the order of parameters; compare [`Place::url`] where that matters.
///
/// # Errors
/// When the index cannot be read, or a line found in it is broken.
pub fn lookup(index: impl Read + Seek, url: &str) -> Result<Vec<Line>> {
    let key = format!("{} ", surt(url));
    let mut index = BufReader::new(index);
    let (mut low, mut high) = (0, index.seek(SeekFrom::End(0))?);
    // Before `low` all lines are smaller; a line that begins at or behind `high` is not.
    while low < high {
        let middle = low + (high - low) / 2;
        let (start, line) = line_behind(&mut index, middle)?;
        if line.is_empty() || line.as_slice() >= key.as_bytes() {
            high = middle;
        } else {
            low = start + line.len() as u64;
        }
    }
    let (start, _) = line_behind(&mut index, low)?;
    index.seek(SeekFrom::Start(start))?;
    let mut found = Vec::new();
    for line in index.lines() {
        let line = line?;
        if !line.starts_with(&key) {
            break;
        }
        found.push(Line::parse(&line)?);
    }
    Ok(found)
}

/// The first whole line that begins at or behind an offset, and where it begins.
fn line_behind(index: &mut (impl BufRead + Seek), offset: u64) -> Result<(u64, Vec<u8>)> {
    let mut line = Vec::new();
    let mut start = 0;
    if let Some(before) = offset.checked_sub(1) {
        index.seek(SeekFrom::Start(before))?;
        start = before + index.read_until(b'\n', &mut line)? as u64;
        line.clear();
    } else {
        index.seek(SeekFrom::Start(0))?;
    }
    index.read_until(b'\n', &mut line)?;
    Ok((start, line))
}

/// An address in *sort-friendly* form: `https://www.Example.org/A?b&a` is `org,example)/a?a&b`.
///
/// Scheme, `www.` and the default port go, parameters are sorted, and all is in lower case, as
/// the common indexers do it. What is no URL with a host stays as it is, in lower case.
#[must_use]
pub fn surt(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| Some((url, url.host()?)));
    let Some((url, host)) = host else {
        return url.to_ascii_lowercase().replace(|c: char| c.is_whitespace(), "%20");
    };
    let mut key = match host {
        url::Host::Domain(name) => reversed(name),
        address => address.to_string(),
    };
    if let Some(port) = url.port() {
        key.push_str(&format!(":{port}"));
    }
    key.push(')');
    key.push_str(url.path());
    if let Some(query) = url.query().filter(|query| !query.is_empty()) {
        let mut pairs: Vec<&str> = query.split('&').collect();
        pairs.sort_unstable();
        key.push('?');
        key.push_str(&pairs.join("&"));
    }
    key.to_ascii_lowercase()
}

fn reversed(name: &str) -> String {
    let name = name.strip_prefix("www.").unwrap_or(name);
    name.rsplit('.').collect::<Vec<_>>().join(",")
}

fn media_type(value: Option<&str>) -> String {
    let value = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if value.is_empty() { NO_TYPE.to_owned() } else { value.to_ascii_lowercase() }
}

fn yes() -> bool {
    true
}

fn is_yes(item: &bool) -> bool {
    *item
}

fn bad(what: &str) -> Error {
    Error::park(format!("an index line is broken: {what}"))
        .because("cdxj_line")
        .help("remove the .cdxj file and have it built again from its .warc.gz")
}

/// Numbers as text: the other tools write and expect them so.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(n: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(n)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        let text = String::deserialize(input)?;
        text.parse().map_err(D::Error::custom)
    }
}
