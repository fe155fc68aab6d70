//! The HTTP response inside a record: status, headers, and the body without its codings.

use super::fields::parse_fields;
use super::record::{Kind, Record};
use crate::fetch::sniff::{Kind as Looks, sniff};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Read;
use tidemill_pipeline::{Error, Result};

/// The most bytes that a compressed body may grow to.
pub const BODY_CAP: u64 = 256 * 1024 * 1024;

/// A response as it is found in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPart {
    /// The status code.
    pub status: u16,
    /// The headers in their order, as they are stored.
    pub headers: Vec<(String, String)>,
    /// The body, without chunks and compression; empty in a revisit.
    pub body: Vec<u8>,
}

impl HttpPart {
    /// The first value of a header, by its name without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Parses the block of a *response* or *revisit* record.
///
/// Our own records hold bodies without codings. Those of other programs may be chunked or
/// compressed, and both is undone. Some of them store the decoded body beside the old headers;
/// a body that does not begin like chunks, or like gzip, is therefore taken as it is.
///
/// # Errors
/// When the block is no HTTP response, a chunk is broken, a compressed body is damaged or larger
/// than [`BODY_CAP`], or a content coding is unknown.
pub fn http(record: &Record) -> Result<HttpPart> {
    parsed(record, BODY_CAP)
}

/// As [`http`], with a cap on the body, in bytes, be it compressed or not.
///
/// # Errors
/// As [`http`]; a body over the cap has the reason `too_large`.
pub fn http_within(record: &Record, cap: u64) -> Result<HttpPart> {
    let part = parsed(record, cap)?;
    if part.body.len() as u64 > cap { Err(too_large(cap)) } else { Ok(part) }
}

fn parsed(record: &Record, cap: u64) -> Result<HttpPart> {
    if !matches!(record.kind, Kind::Response | Kind::Revisit) {
        return Err(bad(format!("a {} record holds no HTTP response", record.kind)));
    }
    let (head, body) = split_head(&record.block);
    let head = String::from_utf8_lossy(head);
    let (first, lines) = head.split_once('\n').unwrap_or((&head, ""));
    let status = status_of(first).ok_or_else(|| bad("its first line is no HTTP status line"))?;
    let mut part = HttpPart { status, headers: parse_fields(lines), body: Vec::new() };
    if !body.is_empty() {
        let body = unchunked(&part, body)?;
        part.body = uncompressed(&part, body, cap)?;
    }
    Ok(part)
}

/// Splits at the first empty line; without one everything is head.
fn split_head(block: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in block.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        if line == b"\n" || line == b"\r\n" {
            return block.split_at(at);
        }
    }
    (block, &[])
}

fn status_of(line: &str) -> Option<u16> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}

fn unchunked(part: &HttpPart, body: &[u8]) -> Result<Vec<u8>> {
    let coding = part.header("Transfer-Encoding").unwrap_or_default();
    if !coding.to_ascii_lowercase().contains("chunked") || chunk_size(body).is_none() {
        return Ok(body.to_vec());
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let (size, data) = chunk_size(rest).ok_or_else(|| bad("a chunk of its body is broken"))?;
        if size == 0 {
            return Ok(out);
        }
        let chunk = data.get(..size).ok_or_else(|| bad("the last chunk of its body is cut"))?;
        out.extend_from_slice(chunk);
        rest = data.get(size..).unwrap_or_default();
        rest = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
}

/// The size of a chunk and what follows its line (RFC 9112 §7.1).
fn chunk_size(text: &[u8]) -> Option<(usize, &[u8])> {
    let end = text.iter().take(1024).position(|b| *b == b'\n')?;
    let line = str::from_utf8(text.get(..end)?).ok()?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    let is_hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let size = is_hex.then(|| usize::from_str_radix(digits, 16).ok()).flatten()?;
    Some((size, text.get(end + 1..)?))
}

fn uncompressed(part: &HttpPart, body: Vec<u8>, cap: u64) -> Result<Vec<u8>> {
    let coding = part.header("Content-Encoding").unwrap_or_default().trim().to_ascii_lowercase();
    let decoded = match coding.as_str() {
        "" | "identity" | "utf-8" => Ok(None),
        "gzip" | "x-gzip" if !body.starts_with(b"\x1f\x8b") => Ok(None),
        "gzip" | "x-gzip" => inflated(MultiGzDecoder::new(body.as_slice()), cap).map(Some),
        // The first byte of a zlib stream with its usual window; some servers leave it away.
        "deflate" if body.starts_with(b"\x78") => {
            inflated(ZlibDecoder::new(body.as_slice()), cap).map(Some)
        }
        "deflate" => unless_decoded(inflated(DeflateDecoder::new(body.as_slice()), cap), &body),
        "zstd" if !body.starts_with(b"\x28\xb5\x2f\xfd") => Ok(None),
        "zstd" => inflated(zstd::Decoder::new(body.as_slice())?, cap).map(Some),
        // Brotli has no first bytes of its own.
        "br" => {
            let decoder = brotli_decompressor::Decompressor::new(body.as_slice(), 4096);
            unless_decoded(inflated(decoder, cap), &body)
        }
        other => Err(bad(format!("its content coding `{other}` cannot be undone here"))),
    };
    Ok(decoded?.unwrap_or(body))
}

/// A body that cannot be decoded, but looks like a page as it is, was decoded before.
fn unless_decoded(decoded: Result<Vec<u8>>, body: &[u8]) -> Result<Option<Vec<u8>>> {
    let is_text = matches!(
        sniff(None, body),
        Looks::Html | Looks::Feed | Looks::Sitemap | Looks::SitemapIndex | Looks::SitemapText
    );
    match decoded {
        Err(error) if error.reason() != "too_large" && is_text => Ok(None),
        decoded => decoded.map(Some),
    }
}

fn inflated(decoder: impl Read, cap: u64) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let read = decoder.take(cap.saturating_add(1)).read_to_end(&mut body);
    read.map_err(|error| bad("its compressed body is damaged").caused_by(error))?;
    if body.len() as u64 > cap { Err(too_large(cap)) } else { Ok(body) }
}

fn too_large(cap: u64) -> Error {
    Error::park(format!("the record's body is larger than {} MiB", cap >> 20))
        .because("too_large")
        .help("leave the record out: it is no page that can be read")
}

fn bad(what: impl Into<String>) -> Error {
    Error::park(format!("the record cannot be used: {}", what.into()))
        .because("warc_http")
        .help("leave the record out, or fetch the page again")
}
