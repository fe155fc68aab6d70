//! A model for tests: it answers what it is told to, and counts how often it was asked.

use super::backend::{Answer, Backend, Facts, Request};
use futures_util::future::{BoxFuture, FutureExt, ready};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill_pipeline::Result;

type Script = dyn Fn(&Request) -> Result<Answer> + Send + Sync;

/// A model that follows a script; clones share the count of calls.
///
/// ```
/// use tidemill_stages::llm::{Scripted, Summarise};
///
/// let model = Scripted::saying("The mill turns.");
/// let stage = Summarise::with(model.clone()).in_words(20);
/// assert_eq!(model.calls(), 0);
/// # drop(stage);
/// ```
#[derive(Clone)]
pub struct Scripted {
    facts: Facts,
    script: Arc<Script>,
    calls: Arc<AtomicU64>,
}

impl Scripted {
    /// Always answers the same text.
    #[must_use]
    pub fn saying(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::answering(move |_| Ok(text.clone()))
    }

    /// Answers the text that the function makes of the request, ended by `stop`.
    #[must_use]
    pub fn answering(script: impl Fn(&Request) -> Result<String> + Send + Sync + 'static) -> Self {
        Self::with(move |request| Ok(answer(request, script(request)?)))
    }

    /// Answers whatever the function returns: token counts, reasons, errors.
    #[must_use]
    pub fn with(script: impl Fn(&Request) -> Result<Answer> + Send + Sync + 'static) -> Self {
        let facts = Facts {
            model: "scripted".into(),
            model_id: "scripted-1".into(),
            context: 16_384,
            thinking: false,
        };
        Self { facts, script: Arc::new(script), calls: Arc::new(AtomicU64::new(0)) }
    }

    /// The context that it claims to have, in tokens.
    #[must_use]
    pub fn context(mut self, tokens: u32) -> Self {
        self.facts.context = tokens;
        self
    }

    /// The id that it claims to have.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.facts.model_id = id.into();
        self
    }

    /// How often it was asked, refusals included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Backend for Scripted {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn chat<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = (self.script)(request).map(|answer| Answer {
            model: self.facts.model.clone(),
            model_id: self.facts.model_id.clone(),
            ..answer
        });
        ready(answer).boxed()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// An answer with counts as a tokenizer of four bytes a token would give them.
fn answer(request: &Request, text: String) -> Answer {
    let tokens = |text: &str| text.len().div_ceil(4) as u64;
    Answer {
        prompt_tokens: Some(tokens(&request.system) + tokens(&request.user)),
        output_tokens: Some(tokens(&text)),
        done_reason: "stop".into(),
        model: String::new(),
        model_id: String::new(),
        ms: 0,
        load_ms: 0,
        text,
    }
}
