//! OPML: the list of feeds that a feed reader exports.

use quick_xml::Reader;
use quick_xml::events::Event;
use tidemill_pipeline::{Error, Result};

/// The `xmlUrl`s of an OPML document, in their order, each once. Source: OPML 2.0.
///
/// # Errors
/// *Halt* when it is no XML, or lists no feed.
pub fn opml(text: &str) -> Result<Vec<String>> {
    let mut reader = Reader::from_str(text);
    let mut urls: Vec<String> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                let mut attributes = tag.attributes();
                let found = attributes.with_checks(false).flatten();
                for attribute in found.filter(|a| a.key.as_ref().eq_ignore_ascii_case("xmlurl")) {
                    let url = quick_xml::escape::unescape(&attribute.value)
                        .unwrap_or_default()
                        .trim()
                        .to_string();
                    if !url.is_empty() && !urls.contains(&url) {
                        urls.push(url);
                    }
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(e) => {
                return Err(Error::halt("the OPML cannot be read")
                    .because("bad_opml")
                    .caused_by(e));
            }
        }
    }
    if urls.is_empty() {
        return Err(Error::halt("the OPML lists no feed")
            .because("bad_opml")
            .help("export the subscriptions from the feed reader again; feeds stand in `xmlUrl`"));
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_found_at_every_depth() {
        let text = r#"<opml version="2.0"><body>
          <outline text="news"><outline type="rss" xmlUrl="https://a.example/feed?x=1&amp;y=2"/></outline>
          <outline type="rss" xmlurl="https://b.example/atom.xml"></outline>
          <outline type="rss" xmlUrl="https://b.example/atom.xml"/></body></opml>"#;
        let urls = opml(text).unwrap();
        assert_eq!(urls, ["https://a.example/feed?x=1&y=2", "https://b.example/atom.xml"]);
        assert_eq!(opml("<opml/>").unwrap_err().reason(), "bad_opml");
    }
}
