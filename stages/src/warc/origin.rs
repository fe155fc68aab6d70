//! What a record says of the item that it was captured for, so that it becomes the same one again.

use super::record::Record;
use crate::fetch::canonical::{has_secret, scrubbed};
use url::Url;

/// The field with the key of the item.
const KEY: &str = "WARC-Tidemill-Key";
/// The field that says `no` of what was captured on the way to items: a feed, a sitemap.
const ITEM: &str = "WARC-Tidemill-Item";
/// The field with the address that answered, when it is another than the one asked for.
const FINAL: &str = "WARC-Tidemill-Final-URI";

/// What a capture was for. None of it can be derived from the response.
///
/// It is written as three fields of the record, which WARC/1.1 §5 lets other readers ignore:
/// `WARC-Tidemill-Key`, or `WARC-Tidemill-Item: no`, and `WARC-Tidemill-Final-URI`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The key of the item that it became; `None` for what is no item itself: a feed, a sitemap.
    pub key: Option<String>,
    /// The address that answered, after redirects.
    pub final_url: Url,
}

impl Origin {
    /// The fields of a record about this address; secrets in them are hidden.
    pub(super) fn fields(&self, target: &str) -> Vec<(String, String)> {
        let said = match &self.key {
            Some(key) => (KEY.to_owned(), written(&without_secret(key))),
            None => (ITEM.to_owned(), "no".to_owned()),
        };
        let at: String = scrubbed(&self.final_url).into();
        let moved = (at != target).then(|| (FINAL.to_owned(), at));
        std::iter::once(said).chain(moved).collect()
    }
}

/// The key of the item that a record was captured for, when the record says it.
pub(super) fn key_of(record: &Record) -> Option<String> {
    record.header(KEY).map(read)
}

/// Whether the record says that it is no item.
pub(super) fn is_no_item(record: &Record) -> bool {
    record.header(ITEM) == Some("no")
}

/// The address that answered, when the record says that it is another than the one asked for.
pub(super) fn final_url_of(record: &Record) -> Option<&str> {
    record.header(FINAL)
}

/// A source of one's own may have made an address with a secret the key.
fn without_secret(key: &str) -> String {
    match Url::parse(key) {
        Ok(url) if has_secret(&url) => scrubbed(&url).into(),
        _ => key.to_owned(),
    }
}

/// A key as the value of a field: as it is, or as a JSON string where a line could not hold it.
fn written(key: &str) -> String {
    let is_plain = !key.is_empty()
        && key.trim() == key
        && !key.starts_with('"')
        && !key.contains(|c: char| c.is_control());
    if is_plain {
        return key.to_owned();
    }
    let json = serde_json::Value::from(key).to_string();
    // JSON leaves the control characters behind ASCII as they are.
    let escaped = |c: char| match c.is_control() {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    json.chars().map(escaped).collect()
}

fn read(value: &str) -> String {
    let quoted = value.starts_with('"').then(|| serde_json::from_str(value).ok()).flatten();
    quoted.unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{read, without_secret, written};

    #[test]
    fn a_key_comes_back_as_it_was() {
        for key in [
            "https://example.org/a?b=ü",
            "",
            " a",
            "b ",
            "\"c\"",
            "two\nlines",
            "\u{85}\u{7f}",
            "tab\t",
        ] {
            let text = written(key);
            assert!(!text.contains(|c: char| c.is_control()) && text.trim() == text, "{text:?}");
            assert_eq!(read(&text), key);
        }
        assert_eq!(written("tag:example.org,2026:1"), "tag:example.org,2026:1");
    }

    #[test]
    fn a_key_keeps_no_secret() {
        assert!(!without_secret("https://example.org/a?token=hush#2").contains("hush"));
        assert_eq!(without_secret("line 7?token=x"), "line 7?token=x");
    }
}
