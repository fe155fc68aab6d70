//! The article of a page: a pure function of bytes, type and address.

use super::document::Document;
use super::quality;
use crate::fetch::decode;
use crate::fetch::sniff::{Kind, sniff};
use scraper::{Html, Selector};
use tidemill_pipeline::{Error, Result};
use trafilatura::Options;
use url::Url;

/// An article with fewer words than this is distrusted, and the page's whole text looked at.
const FEW: usize = 25;

/// Extracts the readable part of a page.
///
/// Pages that `trafilatura` finds no article in are read whole, with the method `full_text`, so
/// that nothing gets lost silently.
///
/// # Errors
/// *Park*: `empty_page`, `block_page`, `needs_javascript`, `consent_wall`, `unsupported_type`.
pub fn article(body: &[u8], content_type: Option<&str>, url: &Url) -> Result<Document> {
    match sniff(content_type, body) {
        Kind::Html => html(&decode(body, content_type).text, url),
        Kind::Text | Kind::SitemapText => plain(&decode(body, content_type).text, url),
        _ if body.iter().all(u8::is_ascii_whitespace) => Err(empty()),
        other => Err(Error::park(format!("{other:?} is no page that can be read as text"))
            .because("unsupported_type")
            .help("leave it out; documents of this kind are not read")),
    }
}

fn html(page: &str, url: &Url) -> Result<Document> {
    let options = Options::default().with_fallback(true).with_url(url.clone());
    let (mut document, found) = match trafilatura::extract(page, &options) {
        Ok(result) => {
            let meta = &result.metadata;
            let some = |text: &str| Some(text.trim().to_string()).filter(|text| !text.is_empty());
            let document = Document {
                url: url.to_string(),
                title: meta.title.trim().to_string(),
                markdown: result.content_markdown(),
                language: some(&meta.language),
                published: meta.date.map(|date| date.format("%Y-%m-%d").to_string()),
                author: some(&meta.author),
                site: some(&meta.sitename),
                method: "article".into(),
                score: 0.0,
                words: 0,
                text: result.content_text,
            };
            let few = document.text.split_whitespace().count() < FEW;
            (document, !few)
        }
        Err(_) => (blank(url), false), // no article: the whole text is looked at instead
    };
    if !found {
        whole(page, &mut document);
    }
    finish(document, page.len())
}

/// The whole text of the page, when that is more than the article.
fn whole(page: &str, document: &mut Document) {
    let html = Html::parse_document(page);
    let text = visible(&html);
    if document.title.is_empty() {
        document.title = first(&html, "title").unwrap_or_default();
    }
    if text.split_whitespace().count() > document.text.split_whitespace().count() {
        document.method = "full_text".into();
        document.markdown.clone_from(&text);
        document.text = text;
    }
}

/// The text of the body without scripts, styles and the like, one line per block.
fn visible(html: &Html) -> String {
    const SILENT: [&str; 7] = ["script", "style", "noscript", "template", "svg", "head", "title"];
    let mut lines: Vec<String> = Vec::new();
    for node in html.tree.root().descendants() {
        let Some(text) = node.value().as_text() else { continue };
        let silent = node
            .ancestors()
            .filter_map(|a| a.value().as_element())
            .any(|element| SILENT.contains(&element.name()));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !silent && !text.is_empty() {
            lines.push(text);
        }
    }
    lines.join("\n")
}

fn first(html: &Html, selector: &str) -> Option<String> {
    let selector = Selector::parse(selector).ok()?;
    let text = html.select(&selector).next()?.text().collect::<String>();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn plain(text: &str, url: &Url) -> Result<Document> {
    let mut document = blank(url);
    document.method = "plain_text".into();
    document.title = text
        .lines()
        .find(|l| !l.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .chars()
        .take(120)
        .collect();
    document.text = text.trim().to_string();
    document.markdown = document.text.clone();
    finish(document, text.len())
}

fn blank(url: &Url) -> Document {
    Document {
        url: url.to_string(),
        title: String::new(),
        text: String::new(),
        markdown: String::new(),
        language: None,
        published: None,
        author: None,
        site: None,
        method: String::new(),
        score: 0.0,
        words: 0,
    }
}

fn finish(mut document: Document, page_chars: usize) -> Result<Document> {
    document.text = document.text.trim().to_string();
    document.words = document.text.split_whitespace().count() as u64;
    if let Some(reason) = quality::wall(&document.title, &document.text) {
        return Err(Error::park(format!("the site shows a wall instead of the text: {reason}"))
            .because(reason)
            .help("open the page in a browser; if the text needs one, leave the page out"));
    }
    if document.text.is_empty() {
        return Err(empty());
    }
    document.score = (quality::score(&document.text, page_chars) * 100.0).round() / 100.0;
    if document.title.is_empty() {
        document.title.clone_from(&document.url);
    }
    // What the page declares may be a whole tag (`en-GB`), or wrong: a clear guess wins.
    document.language = guess(&document.text).or_else(|| {
        let declared = document.language.as_deref()?;
        Some(declared.split(['-', '_']).next().unwrap_or_default().to_lowercase())
    });
    Ok(document)
}

fn guess(text: &str) -> Option<String> {
    let info = whatlang::detect(text)?;
    let code = info.is_reliable().then(|| two_letters(info.lang()))?;
    Some(code.to_string())
}

/// ISO 639-1 where there is such a code, else ISO 639-3.
fn two_letters(lang: whatlang::Lang) -> &'static str {
    use whatlang::Lang;
    match lang {
        Lang::Eng => "en",
        Lang::Deu => "de",
        Lang::Fra => "fr",
        Lang::Nld => "nl",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Pol => "pl",
        Lang::Ces => "cs",
        Lang::Slk => "sk",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Bul => "bg",
        Lang::Srp => "sr",
        Lang::Hrv => "hr",
        Lang::Slv => "sl",
        Lang::Swe => "sv",
        Lang::Dan => "da",
        Lang::Nob => "no",
        Lang::Fin => "fi",
        Lang::Est => "et",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Ell => "el",
        Lang::Tur => "tr",
        Lang::Ara => "ar",
        Lang::Heb => "he",
        Lang::Pes => "fa",
        Lang::Hin => "hi",
        Lang::Ben => "bn",
        Lang::Tam => "ta",
        Lang::Urd => "ur",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Tha => "th",
        Lang::Vie => "vi",
        Lang::Ind => "id",
        Lang::Cat => "ca",
        Lang::Epo => "eo",
        Lang::Lat => "la",
        other => other.code(),
    }
}

fn empty() -> Error {
    Error::park("the page holds no text")
        .because("empty_page")
        .help("open it in a browser; if it is filled by scripts there, leave it out")
}
