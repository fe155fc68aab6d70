//! What a body is: by its first bytes, and only then by what the header calls it.

use flate2::bufread::GzDecoder;
use std::io::Read;

/// How much of a body is looked at, in bytes.
const LOOK: usize = 4096;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A web page, XHTML too.
    Html,
    /// RSS, Atom or JSON Feed.
    Feed,
    /// A list of sitemaps; it may be compressed with gzip.
    SitemapIndex,
    /// A list of pages in XML; it may be compressed with gzip.
    Sitemap,
    /// Plain text that holds one URL per line; it may be compressed with gzip.
    SitemapText,
    /// Other plain text.
    Text,
    /// A PDF document.
    Pdf,
    /// Anything else.
    Other,
}

/// Says what a body is; `content_type` is the header's value, when there is one.
#[must_use]
pub fn sniff(content_type: Option<&str>, bytes: &[u8]) -> Kind {
    let declared = media_type(content_type);
    if bytes.starts_with(b"\x1f\x8b") {
        return sniff_gzip(bytes);
    }
    if bytes.starts_with(b"%PDF-") {
        return Kind::Pdf;
    }
    let head = head_text(bytes);
    let start = head.trim_start();
    if let Some(kind) = by_markup(start) {
        return kind;
    }
    if start.starts_with('{') && start.contains("jsonfeed.org/version/") {
        return Kind::Feed;
    }
    if head.contains('\0') {
        return Kind::Other;
    }
    if is_url_list(start, bytes.len() > LOOK) && !declared.contains("html") {
        return Kind::SitemapText;
    }
    by_media_type(&declared)
}

/// Only sitemaps come as `.gz` files of their own; a coded transfer is decoded before this.
fn sniff_gzip(bytes: &[u8]) -> Kind {
    let mut head = Vec::with_capacity(LOOK);
    // What came out before an error is enough to look at; parsing tells of the error.
    let _complete = GzDecoder::new(bytes).take(LOOK as u64).read_to_end(&mut head).is_ok();
    match sniff(None, &head) {
        kind @ (Kind::Sitemap | Kind::SitemapIndex | Kind::SitemapText) => kind,
        _ => Kind::Other,
    }
}

fn media_type(content_type: Option<&str>) -> String {
    let value = content_type.unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The first bytes as text: all that is looked for is ASCII, so only UTF-16 needs decoding.
fn head_text(bytes: &[u8]) -> String {
    let head = bytes.get(..LOOK).unwrap_or(bytes);
    match encoding_rs::Encoding::for_bom(head) {
        Some((encoding, _)) => encoding.decode_with_bom_removal(head).0.into_owned(),
        None => String::from_utf8_lossy(head).into_owned(),
    }
}

fn by_markup(start: &str) -> Option<Kind> {
    let root = root_name(start)?.to_ascii_lowercase();
    // A namespace prefix says nothing: `sit:urlset` is a `urlset`.
    let local = root.rsplit(':').next().unwrap_or_default();
    match local {
        "urlset" => Some(Kind::Sitemap),
        "sitemapindex" => Some(Kind::SitemapIndex),
        "rss" | "feed" | "rdf" => Some(Kind::Feed),
        "!doctype" if start_of_doctype_is_html(start) => Some(Kind::Html),
        "html" | "head" | "body" | "title" | "meta" | "link" | "base" | "script" | "style"
        | "div" | "p" | "a" | "h1" | "h2" | "table" | "br" | "b" | "font" | "center" | "iframe"
        | "main" | "article" | "section" | "nav" | "header" | "noscript" => Some(Kind::Html),
        _ => None,
    }
}

fn start_of_doctype_is_html(start: &str) -> bool {
    let lower = start.to_ascii_lowercase();
    lower.split("<!doctype").nth(1).is_some_and(|rest| rest.trim_start().starts_with("html"))
}

/// The name of the first element, behind declarations, comments and a foreign doctype.
fn root_name(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start();
        let skipped = if text.starts_with("<?") {
            text.split_once("?>")
        } else if text.starts_with("<!--") {
            text.split_once("-->")
        } else if is_foreign_doctype(text) {
            text.split_once('>')
        } else {
            let name = text.strip_prefix('<')?;
            let end = name.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
            return name.get(..end.unwrap_or(name.len()));
        };
        text = skipped?.1;
    }
}

fn is_foreign_doctype(text: &str) -> bool {
    let is_doctype = text.get(..9).is_some_and(|t| t.eq_ignore_ascii_case("<!doctype"));
    is_doctype && !start_of_doctype_is_html(text)
}

/// Whether every whole line is a web address.
fn is_url_list(text: &str, cut: bool) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let whole = lines.len() - usize::from(cut && !lines.is_empty());
    let mut lines = lines.iter().take(whole).filter(|line| !line.is_empty()).peekable();
    let is_url = |line: &&str| {
        (line.starts_with("http://") || line.starts_with("https://"))
            && !line.contains(char::is_whitespace)
    };
    lines.peek().is_some() && lines.all(is_url)
}

fn by_media_type(declared: &str) -> Kind {
    match declared {
        "text/html" | "application/xhtml+xml" => Kind::Html,
        "application/rss+xml" | "application/atom+xml" | "application/feed+json" => Kind::Feed,
        "application/pdf" => Kind::Pdf,
        "" => Kind::Text,
        _ if declared.starts_with("text/") && declared != "text/xml" => Kind::Text,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, sniff};

    #[test]
    fn content_comes_before_the_header() {
        for (content_type, body, wanted) in [
            (Some("text/plain"), &b"\n<!DOCTYPE html><html>"[..], Kind::Html),
            (Some("text/html"), b"<?xml version='1.0'?><!-- x --><rss version='2.0'>", Kind::Feed),
            (Some("text/xml"), b"\xef\xbb\xbf<sit:urlset xmlns:sit='x'>", Kind::Sitemap),
            (None, b"<sitemapindex>", Kind::SitemapIndex),
            (None, b"<?xml version='1.0'?><!DOCTYPE rss SYSTEM 'x'><rss>", Kind::Feed),
            (None, b"{\"version\": \"https://jsonfeed.org/version/1.1\"", Kind::Feed),
            (Some("text/html"), b"%PDF-1.7 ...", Kind::Pdf),
            (
                Some("text/plain"),
                b"https://a.example/\r\nhttps://b.example/\r\n",
                Kind::SitemapText,
            ),
            (None, b"\xff\xfe<\0h\0t\0m\0l\0>\0", Kind::Html),
        ] {
            assert_eq!(sniff(content_type, body), wanted, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_header_decides_where_the_content_does_not() {
        for (content_type, body, wanted) in [
            (Some("text/html; charset=utf-8"), &b"just words"[..], Kind::Html),
            (Some("text/plain"), b"see https://a.example/", Kind::Text),
            (None, b"just words", Kind::Text),
            (Some("image/svg+xml"), b"<svg>", Kind::Other),
            (Some("text/plain"), b"\0\x01\x02", Kind::Other),
            (Some("application/json"), b"{}", Kind::Other),
            (Some("application/gzip"), b"\x1f\x8b\x08", Kind::Other),
        ] {
            assert_eq!(sniff(content_type, body), wanted, "{}", String::from_utf8_lossy(body));
        }
    }
}
