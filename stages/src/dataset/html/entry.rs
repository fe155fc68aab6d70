//! One entry of the page: what of a row is shown, and how.

use super::escape::{escaped, push};
use chrono::NaiveDate;
use serde_json::{Map, Value};
use tidemill_pipeline::{Error, Result};
use url::Url;

/// How much of a field is shown when a row has no summary, in characters.
const FIELD_CHARS: usize = 500;

/// A row, read by the names of its fields. Everything in here is untrusted and not yet escaped.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) heading: String,
    /// Only `http` and `https`, and without user name and password.
    url: Option<Url>,
    published: Option<String>,
    language: Option<String>,
    /// How the summary was made, in words.
    pub(super) made: Option<String>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Summary(String),
    Fields(Vec<(String, String)>),
}

impl Entry {
    /// Reads an item; one that is no JSON object has no fields to show.
    pub(super) fn read(key: &str, item: Value) -> Result<Self> {
        let Value::Object(row) = item else {
            return Err(Error::halt(format!("the item `{key}` has no named fields for the page"))
                .because("not_an_object")
                .help("save a struct with named fields, or take `HtmlPage` out of the pipeline"));
        };
        let text = |name: &str| row.get(name).and_then(Value::as_str).and_then(said);
        let url = text("url").and_then(web_address);
        let heading = text("title").unwrap_or_else(|| url.as_ref().map_or(key, Url::as_str));
        let body = match text("summary") {
            Some(summary) => Body::Summary(summary.to_owned()),
            None => Body::Fields(fields(&row)),
        };
        Ok(Self {
            heading: heading.to_owned(),
            published: text("published").map(str::to_owned),
            language: text("language").map(str::to_owned),
            made: made(text("method"), text("model")),
            url,
            body,
        })
    }

    /// The host and, if it is unusual, the port: what a reader calls the site.
    pub(super) fn site(&self) -> Option<String> {
        let url = self.url.as_ref()?;
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }

    /// Writes the entry, with the number that the table of contents links to.
    pub(super) fn write(&self, n: usize, out: &mut String) {
        let lang = self.language.as_deref().filter(|tag| is_language_tag(tag));
        let lang = lang.map_or_else(String::new, |tag| format!(" lang=\"{tag}\""));
        let heading = escaped(&self.heading);
        out.push_str(&format!("<article id=\"n{n}\">\n"));
        self.write_origin(out);
        match &self.url {
            Some(url) => out.push_str(&format!(
                "<h2{lang} dir=\"auto\"><a href=\"{}\" rel=\"noopener noreferrer\">{heading}</a></h2>\n",
                escaped(url.as_str())
            )),
            None => out.push_str(&format!("<h2{lang} dir=\"auto\">{heading}</h2>\n")),
        }
        match &self.body {
            Body::Summary(text) => write_paragraphs(text, &lang, out),
            Body::Fields(fields) => write_fields(fields, out),
        }
        if let Some(made) = &self.made {
            out.push_str(&format!("<p class=\"made\">{}</p>\n", escaped(made)));
        }
        out.push_str("</article>\n");
    }

    /// The small line above the heading: site, day, language.
    fn write_origin(&self, out: &mut String) {
        let site = self.site().map(|site| format!("<bdi class=\"site\">{}</bdi>", escaped(&site)));
        let day = self.published.as_deref().map(when);
        let language = self.language.as_deref().map(|tag| escaped(language_name(tag)));
        let parts: Vec<String> = [site, day, language].into_iter().flatten().collect();
        if !parts.is_empty() {
            out.push_str(&format!("<p class=\"origin\">{}</p>\n", parts.join("\u{a0}· ")));
        }
    }
}

/// Text that says something: trimmed, and not empty.
fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// An address that a reader may safely follow. User names and passwords are secrets: cut off.
fn web_address(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    // Neither can fail for an address with a host, which both schemes always have.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

/// Says honestly who wrote the summary; nothing when the row does not know.
fn made(method: Option<&str>, model: Option<&str>) -> Option<String> {
    match (method, model) {
        (None, None) => None,
        (None | Some("model"), Some(model)) => Some(format!("summarised by {model}")),
        (Some("model"), None) => Some("summarised by a model without a name".to_owned()),
        (Some("extractive"), None) => Some("extractive, no model".to_owned()),
        (Some("verbatim"), None) => Some("shown whole, no model".to_owned()),
        (Some(other), Some(model)) => Some(format!("{other}, {model}")),
        (Some(other), None) => Some(other.to_owned()),
    }
}

/// All fields by name, long values shortened.
fn fields(row: &Map<String, Value>) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => {
            shortened(web_address(text).as_ref().map_or(text.as_str(), Url::as_str))
        }
        other => shortened(&other.to_string()),
    };
    row.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(FIELD_CHARS) {
        Some((end, _)) => {
            let head = text.get(..end).unwrap_or(text);
            format!("{head} … ({} characters)", text.chars().count())
        }
        None => text.to_owned(),
    }
}

fn write_paragraphs(text: &str, lang: &str, out: &mut String) {
    let text = escaped(&text.replace("\r\n", "\n"));
    out.push_str(&format!("<div class=\"summary\"{lang}>\n"));
    for paragraph in text.split("\n\n").filter_map(said) {
        out.push_str(&format!("<p dir=\"auto\">{paragraph}</p>\n"));
    }
    out.push_str("</div>\n");
}

fn write_fields(fields: &[(String, String)], out: &mut String) {
    out.push_str("<dl>\n");
    for (name, value) in fields {
        out.push_str("<dt>");
        push(out, name);
        out.push_str("</dt><dd dir=\"auto\">");
        push(out, value);
        out.push_str("</dd>\n");
    }
    out.push_str("</dl>\n");
}

/// A day that people read, if it begins with one that machines read; else as it is.
fn when(text: &str) -> String {
    let day = text.get(..10).and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
    day.map_or_else(
        || escaped(text),
        |day| format!("<time datetime=\"{day}\">{}</time>", day.format("%-d %B %Y")),
    )
}

/// The shape of RFC 5646 tags: letters, then short alphanumeric parts.
fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let word = |part: &str, min: usize| {
        (min..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    word(first, 2) && first.bytes().all(|b| b.is_ascii_alphabetic()) && parts.all(|p| word(p, 1))
}

/// The name of a language that is common on the web; any other is shown by its tag.
fn language_name(tag: &str) -> &str {
    match tag.split('-').next().unwrap_or(tag) {
        "en" | "eng" => "English",
        "de" | "deu" => "German",
        "fr" | "fra" => "French",
        "es" | "spa" => "Spanish",
        "it" | "ita" => "Italian",
        "pt" | "por" => "Portuguese",
        "nl" | "nld" => "Dutch",
        "pl" | "pol" => "Polish",
        "sv" | "swe" => "Swedish",
        "ru" | "rus" => "Russian",
        "uk" | "ukr" => "Ukrainian",
        "tr" | "tur" => "Turkish",
        "ar" | "ara" => "Arabic",
        "he" | "heb" => "Hebrew",
        "hi" | "hin" => "Hindi",
        "ja" | "jpn" => "Japanese",
        "ko" | "kor" => "Korean",
        "zh" | "cmn" => "Chinese",
        _ => tag,
    }
}
