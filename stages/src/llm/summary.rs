//! The item `Summary`: what stands in a row about a page.

use super::sentences::count_words;
use crate::extract::Document;
use serde::{Deserialize, Serialize};

/// A page in few words. The page's own text is not carried on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The page.
    pub url: String,
    /// Its title.
    pub title: String,
    /// The summary.
    pub summary: String,
    /// The page's language, when it is known.
    pub language: Option<String>,
    /// When the page was published, as it says itself.
    pub published: Option<String>,
    /// How the summary was made: `model`, `extractive` (sentences of the page) or `verbatim` (the
    /// page was no longer than its summary may be).
    pub method: String,
    /// The model's name, when a model made it.
    pub model: Option<String>,
    /// The model's id, when a model made it.
    pub model_id: Option<String>,
    /// Tokens of all prompts, as the server counted them.
    pub prompt_tokens: u64,
    /// Tokens of all answers, as the server counted them.
    pub output_tokens: u64,
    /// How many answers of the model went into it.
    pub calls: u32,
    /// Words of the summary.
    pub words: u64,
}

impl Summary {
    /// A summary that took no model.
    pub(super) fn free(document: Document, said: String, method: &str) -> Self {
        Self {
            url: document.url,
            title: document.title,
            words: count_words(&said),
            summary: said,
            language: document.language,
            published: document.published,
            method: method.to_owned(),
            model: None,
            model_id: None,
            prompt_tokens: 0,
            output_tokens: 0,
            calls: 0,
        }
    }
}
