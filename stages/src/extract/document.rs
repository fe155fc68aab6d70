//! Documents: what the extractor makes of a page.

use serde::{Deserialize, Serialize};

/// The readable part of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The page's address.
    pub url: String,
    /// The title; the address when the page has none.
    pub title: String,
    /// The text, paragraphs separated by empty lines.
    pub text: String,
    /// The text as markdown, with headings, lists and links.
    pub markdown: String,
    /// The language, ISO 639-1 (`en`), when it can be told.
    pub language: Option<String>,
    /// The date of publication, `YYYY-MM-DD`, when the page says one.
    pub published: Option<String>,
    /// The author, when the page names one.
    pub author: Option<String>,
    /// The site's name, when the page says one.
    pub site: Option<String>,
    /// How the text was found: `article`, `full_text`, `plain_text`.
    pub method: String,
    /// How much it looks like an article, 0 to 1.
    pub score: f64,
    /// Words of the text.
    pub words: u64,
}
