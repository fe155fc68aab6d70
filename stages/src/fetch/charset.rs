//! Bytes to text: byte order mark, then the header, then the page's own word, then a guess.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// How far into a page its own declaration is looked for, in bytes (as the HTML standard says).
const PRESCAN: usize = 1024;

/// Text, and how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without a byte order mark.
    pub text: String,
    /// The WHATWG name of the encoding, such as `UTF-8` or `windows-1252`.
    pub encoding: &'static str,
    /// Whether some bytes made no sense in that encoding and became U+FFFD.
    pub lossy: bool,
}

/// Decodes a body; `content_type` is the header's value, when there is one.
#[must_use]
pub fn decode(bytes: &[u8], content_type: Option<&str>) -> Decoded {
    let (encoding, marked) = match Encoding::for_bom(bytes) {
        Some((encoding, len)) => (encoding, len),
        None => (choose(bytes, content_type), 0),
    };
    let rest = bytes.get(marked..).unwrap_or_default();
    let (text, lossy) = encoding.decode_without_bom_handling(rest);
    Decoded { text: text.into_owned(), encoding: encoding.name(), lossy }
}

fn choose(bytes: &[u8], content_type: Option<&str>) -> &'static Encoding {
    content_type
        .and_then(|value| label_after_charset(value.as_bytes()))
        .or_else(|| declared(bytes))
        .unwrap_or_else(|| guess(bytes))
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// What a page says of itself in a `meta` element or an XML declaration.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..PRESCAN).unwrap_or(bytes).to_ascii_lowercase();
    let found = in_xml_declaration(&head).or_else(|| in_meta(&head))?;
    // A page that we could read this far is not UTF-16, whatever it says.
    if found == UTF_16LE || found == UTF_16BE {
        return Some(UTF_8);
    }
    if found == X_USER_DEFINED {
        return Some(WINDOWS_1252);
    }
    Some(found)
}

fn in_xml_declaration(head: &[u8]) -> Option<&'static Encoding> {
    let rest = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = rest.get(..find(rest, b"?>")?)?;
    let value = declaration.get(find(declaration, b"encoding")? + b"encoding".len()..)?;
    label_after_equals(value)
}

fn in_meta(head: &[u8]) -> Option<&'static Encoding> {
    let mut rest = head;
    while let Some(at) = find(rest, b"<") {
        rest = rest.get(at..)?;
        // A commented-out declaration does not count.
        let end = if rest.starts_with(b"<!--") { find(rest, b"-->") } else { find(rest, b">") };
        let tag = rest.get(..end.unwrap_or(rest.len()))?;
        if tag.starts_with(b"<meta")
            && let Some(encoding) = label_after_charset(tag)
        {
            return Some(encoding);
        }
        rest = rest.get(tag.len().max(1)..)?;
    }
    None
}

/// The first known label that follows `charset=`.
fn label_after_charset(text: &[u8]) -> Option<&'static Encoding> {
    let text = text.to_ascii_lowercase();
    let mut rest = text.as_slice();
    while let Some(at) = find(rest, b"charset") {
        rest = rest.get(at + b"charset".len()..)?;
        if let Some(encoding) = label_after_equals(rest) {
            return Some(encoding);
        }
    }
    None
}

fn label_after_equals(text: &[u8]) -> Option<&'static Encoding> {
    let value = text.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    let ends =
        |b: &u8| matches!(b, b'"' | b'\'' | b';' | b'>' | b'/' | b'?') || b.is_ascii_whitespace();
    let end = value.iter().position(ends).unwrap_or(value.len());
    Encoding::for_label_no_replacement(value.get(..end)?)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_order_is_mark_header_meta_guess() {
        let meta = b"<html><meta charset='windows-1251'><p>\xcf\xf0\xe8\xe2\xe5\xf2";
        assert_eq!(decode(meta, None).encoding, "windows-1251");
        assert!(decode(meta, None).text.ends_with("Привет"));
        let by_header = decode(meta, Some("text/html; charset=\"KOI8-R\""));
        assert_eq!(by_header.encoding, "KOI8-R");
        let marked = b"\xef\xbb\xbf<meta charset=windows-1251>\xc3\xa9";
        let by_mark = decode(marked, Some("text/html; charset=koi8-r"));
        assert_eq!((by_mark.encoding, by_mark.lossy), ("UTF-8", false));
        assert!(by_mark.text.starts_with("<meta") && by_mark.text.ends_with('é'));
    }

    #[test]
    fn an_unknown_header_label_leaves_the_word_to_the_page() {
        let page = b"<meta http-equiv=content-type content='text/html;charset=shift_jis'>\x83\x65";
        assert_eq!(
            decode(page, Some("text/html; charset=nonsense")).text.chars().last(),
            Some('テ')
        );
        let xml = b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>";
        assert!(decode(xml, None).text.contains('é'));
        let commented = b"<!-- <meta charset=shift_jis> -->caf\xc3\xa9";
        assert_eq!(decode(commented, None).encoding, "UTF-8");
    }

    #[test]
    fn bytes_that_make_no_sense_are_told() {
        assert!(decode(b"ab\xff", Some("text/plain; charset=utf-8")).lossy);
        assert!(!decode(b"caf\xe9 cr\xe8me \xe0 la carte", None).lossy);
        assert_eq!(decode(b"<meta charset=utf-16>\xc3\xa9", None).encoding, "UTF-8");
        assert_eq!(decode(b"", None).text, "");
    }
}
