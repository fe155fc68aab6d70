//! Records: what a WARC is made of, and how a fetched page becomes one.

use super::digest::{digest, id_of};
use super::origin::Origin;
use crate::fetch::canonical::{scrub_reference, scrubbed};
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;
use std::net::IpAddr;
use url::Url;

/// The profile of a revisit whose payload is byte for byte the one stored before.
pub const SAME_PAYLOAD: &str = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest";
/// The profile of a revisit that the server answered with *304 Not Modified*.
pub const NOT_MODIFIED: &str = "http://netpreserve.org/warc/1.1/revisit/server-not-modified";

/// The media type of blocks that hold lines of `name: value`.
const WARC_FIELDS: &str = "application/warc-fields";

/// HTTP headers that carry credentials and are never stored.
const SECRET_HEADERS: &[&str] =
    &["set-cookie", "set-cookie2", "cookie", "authorization", "proxy-authorization"];
/// HTTP headers whose value is a URL, which may carry credentials.
const URL_HEADERS: &[&str] = &["location", "content-location", "referer"];
/// HTTP headers that are no longer true of a body that is stored decoded.
const TRANSFER_HEADERS: &[&str] = &["content-encoding", "transfer-encoding", "content-length"];

/// The type of a record (WARC/1.1 §5.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Who wrote the file, and how.
    Warcinfo,
    /// A request as it was sent.
    Request,
    /// A response with its body.
    Response,
    /// A response whose body is stored elsewhere.
    Revisit,
    /// Something known about another record.
    Metadata,
    /// A type that we read but never write, by its name.
    Other(String),
}

impl Kind {
    /// The value of the field `WARC-Type`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Warcinfo => "warcinfo",
            Kind::Request => "request",
            Kind::Response => "response",
            Kind::Revisit => "revisit",
            Kind::Metadata => "metadata",
            Kind::Other(name) => name,
        }
    }
}

impl From<&str> for Kind {
    fn from(name: &str) -> Self {
        match name {
            "warcinfo" => Kind::Warcinfo,
            "request" => Kind::Request,
            "response" => Kind::Response,
            "revisit" => Kind::Revisit,
            "metadata" => Kind::Metadata,
            other => Kind::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its type.
    pub kind: Kind,
    /// Its id, a URI without angle brackets.
    pub id: String,
    /// When what it holds was captured.
    pub date: DateTime<Utc>,
    /// The address it is about.
    pub target: Option<String>,
    /// The other WARC fields in their order; `Content-Length` is not among them.
    pub headers: Vec<(String, String)>,
    /// Its content.
    pub block: Vec<u8>,
}

/// A response as the fetcher got it.
#[derive(Debug, Clone, Copy)]
pub struct Capture<'a> {
    /// The address asked for; it is scrubbed of secrets before it is stored.
    pub url: &'a Url,
    /// When the response began.
    pub date: DateTime<Utc>,
    /// The status code.
    pub status: u16,
    /// The reason phrase; empty with HTTP/2.
    pub reason: &'a str,
    /// The headers in their order; credentials among them are dropped.
    pub headers: &'a [(String, String)],
    /// The body, without its transfer and content codings.
    pub body: &'a [u8],
    /// The address of the server, when it is known.
    pub ip: Option<IpAddr>,
}

/// The capture that a revisit refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// The `WARC-Target-URI` of that capture.
    pub url: String,
    /// The `WARC-Date` of that capture.
    pub date: DateTime<Utc>,
    /// The record id of that capture, when it is known.
    pub id: Option<String>,
}

impl Record {
    /// The first record of a file: lines of `name: value` that say who wrote it.
    #[must_use]
    pub fn warcinfo(filename: &str, date: DateTime<Utc>, fields: &[(&str, &str)]) -> Self {
        let headers =
            vec![field("WARC-Filename", one_line(filename)), field("Content-Type", WARC_FIELDS)];
        Self::assemble(Kind::Warcinfo, date, None, headers, field_lines(fields))
    }

    /// A response with its decoded body.
    ///
    /// The headers that speak of codings and of the length are kept as `X-Archive-Orig-*` and a
    /// true `Content-Length` is added, so that every reader can use the body as it is.
    #[must_use]
    pub fn response(capture: &Capture<'_>) -> Self {
        Self::response_with(capture, Vec::new())
    }

    /// A response with its decoded body, and with what it was captured for.
    #[must_use]
    pub fn response_for(capture: &Capture<'_>, origin: &Origin) -> Self {
        Self::response_with(capture, origin.fields(&target_of(capture)))
    }

    fn response_with(capture: &Capture<'_>, own: Vec<(String, String)>) -> Self {
        let mut block = head_of(capture, Some(capture.body.len()));
        block.extend_from_slice(capture.body);
        let mut headers = http_fields(capture);
        headers.push(field("WARC-Payload-Digest", digest(capture.body)));
        headers.extend(own);
        Self::assemble(Kind::Response, capture.date, Some(target_of(capture)), headers, block)
    }

    /// A response whose body is the same as one stored before: headers only.
    #[must_use]
    pub fn same_payload(capture: &Capture<'_>, prior: &Prior) -> Self {
        let mut headers = http_fields(capture);
        headers.push(field("WARC-Payload-Digest", digest(capture.body)));
        Self::revisit(capture, prior, SAME_PAYLOAD, headers)
    }

    /// A *304 Not Modified* to a conditional request: headers only.
    #[must_use]
    pub fn not_modified(capture: &Capture<'_>, prior: &Prior) -> Self {
        Self::revisit(capture, prior, NOT_MODIFIED, http_fields(capture))
    }

    fn revisit(
        capture: &Capture<'_>,
        prior: &Prior,
        profile: &str,
        mut headers: Vec<(String, String)>,
    ) -> Self {
        headers.push(field("WARC-Profile", profile));
        headers.push(field("WARC-Refers-To-Target-URI", scrub_reference(&one_line(&prior.url))));
        headers.push(field("WARC-Refers-To-Date", date_text(prior.date)));
        if let Some(id) = &prior.id {
            headers.push(field("WARC-Refers-To", format!("<{id}>")));
        }
        let block = head_of(capture, None);
        Self::assemble(Kind::Revisit, capture.date, Some(target_of(capture)), headers, block)
    }

    /// Something known about another record, as lines of `name: value`.
    #[must_use]
    pub fn metadata(about: &Record, date: DateTime<Utc>, fields: &[(&str, &str)]) -> Self {
        let headers = vec![
            field("WARC-Refers-To", format!("<{}>", about.id)),
            field("Content-Type", WARC_FIELDS),
        ];
        Self::assemble(Kind::Metadata, date, about.target.clone(), headers, field_lines(fields))
    }

    fn assemble(
        kind: Kind,
        date: DateTime<Utc>,
        target: Option<String>,
        mut headers: Vec<(String, String)>,
        block: Vec<u8>,
    ) -> Self {
        headers.push(field("WARC-Block-Digest", digest(&block)));
        let id = id_of(&kind, date, target.as_deref().unwrap_or_default(), &headers, &block);
        Self { kind, id, date, target, headers, block }
    }

    /// The value of a WARC field, by its name without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The HTTP headers without those that carry credentials, and with the URLs in them scrubbed.
#[must_use]
pub fn scrub(headers: &[(String, String)]) -> Vec<(String, String)> {
    let is_in = |list: &[&str], name: &str| list.iter().any(|n| n.eq_ignore_ascii_case(name));
    let kept = headers.iter().filter(|(name, _)| !is_in(SECRET_HEADERS, name));
    let clean = kept.map(|(name, value)| {
        let value = if is_in(URL_HEADERS, name) { scrub_reference(value) } else { value.clone() };
        (name.clone(), value)
    });
    clean.collect()
}

/// A date as WARC/1.1 has it: RFC 3339 in UTC, with a fraction only where there is one.
#[must_use]
pub(super) fn date_text(date: DateTime<Utc>) -> String {
    date.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn field(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn field_lines(fields: &[(&str, &str)]) -> Vec<u8> {
    let lines = fields.iter().map(|(name, value)| format!("{name}: {}\r\n", one_line(value)));
    lines.collect::<String>().into_bytes()
}

fn target_of(capture: &Capture<'_>) -> String {
    scrubbed(capture.url).into()
}

fn http_fields(capture: &Capture<'_>) -> Vec<(String, String)> {
    let mut headers = vec![field("Content-Type", "application/http; msgtype=response")];
    if let Some(ip) = capture.ip {
        headers.push(field("WARC-IP-Address", ip.to_string()));
    }
    headers
}

/// Status line and headers, up to and with the blank line.
fn head_of(capture: &Capture<'_>, length: Option<usize>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", capture.status, one_line(capture.reason));
    for (name, value) in scrub(capture.headers) {
        let moved = TRANSFER_HEADERS.iter().any(|header| header.eq_ignore_ascii_case(&name));
        let prefix = if moved { "X-Archive-Orig-" } else { "" };
        head.push_str(&format!("{prefix}{}: {}\r\n", one_line(&name), one_line(&value)));
    }
    if let Some(length) = length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A folded header value is one value (RFC 9112 §5.2), and a stray line end must not start a line.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
