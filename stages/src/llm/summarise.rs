//! The stage `Summarise`: a document in, a summary out, by a local model or without one.

use super::backend::{Backend, Options};
use super::budget::Calibration;
use super::clean::visible;
use super::condense::{Condense, Spent};
use super::extractive::extract_summary;
use super::foresee::{Measure, foreseen, frame};
use super::model::away;
use super::ollama::Ollama;
use super::prompt::PROMPT_VERSION;
use super::ready::{Ready, SAMPLING, auto, named};
use super::scripted::Scripted;
use super::sentences::count_words;
use super::shared::ByName;
use super::summary::Summary;
use crate::extract::Document;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tidemill_pipeline::replay::{Cost, Foreseen};
use tidemill_pipeline::{Context, Error, Fingerprint, Result, Stage, Step};

/// The model that [`Summarise::with`] takes.
#[derive(Debug, Clone)]
pub enum Model {
    /// A model on an Ollama server.
    Ollama(Ollama),
    /// Answers written beforehand, for tests.
    Scripted(Scripted),
}

impl From<Ollama> for Model {
    fn from(model: Ollama) -> Self {
        Self::Ollama(model)
    }
}

impl From<Scripted> for Model {
    fn from(model: Scripted) -> Self {
        Self::Scripted(model)
    }
}

/// Turns a [`Document`] into a [`Summary`].
///
/// Long pages are summed up piece by piece and merged; nothing is cut off silently. With a model,
/// items wait while it is away: they are never summed up another way behind one's back.
///
/// ```
/// use tidemill_stages::llm::{Ollama, Summarise};
///
/// let finds_one = Summarise::auto().in_words(80);
/// let named = Summarise::with(Ollama::model("qwen3:8b").at("nas.local:11434"));
/// let without = Summarise::extractive().in_words(40);
/// # drop((finds_one, named, without));
/// ```
#[derive(Debug)]
pub struct Summarise {
    wanted: Wanted,
    words: u32,
    /// What `prepare` found for this run.
    ready: Mutex<Option<Arc<Ready>>>,
    /// What a prompt weighs beside the page: asked for each item of a forecast.
    frame: OnceLock<f64>,
}

#[derive(Debug)]
enum Wanted {
    Auto,
    Extractive,
    Model(Model),
}

impl Summarise {
    /// A model at `$OLLAMA_HOST` or on this computer when there is one, else without. A model that
    /// was used once is kept for this pipeline; one that appears later is used from then on.
    #[must_use]
    pub fn auto() -> Self {
        Self::new(Wanted::Auto)
    }

    /// This model and no other.
    #[must_use]
    pub fn with(model: impl Into<Model>) -> Self {
        Self::new(Wanted::Model(model.into()))
    }

    /// Without any model: the sentences that say most.
    #[must_use]
    pub fn extractive() -> Self {
        Self::new(Wanted::Extractive)
    }

    /// How long a summary may be, in words; 80 unless told.
    #[must_use]
    pub fn in_words(mut self, words: u32) -> Self {
        self.words = words.max(1);
        self
    }

    fn new(wanted: Wanted) -> Self {
        Self { wanted, words: 80, ready: Mutex::new(None), frame: OnceLock::new() }
    }

    /// Finds out what this run uses.
    async fn find(&self, cx: &Context) -> Result<Ready> {
        match &self.wanted {
            Wanted::Extractive => Ok(Ready::Extractive),
            Wanted::Model(Model::Scripted(model)) => Ok(Ready::model(model.clone(), SAMPLING)),
            Wanted::Model(Model::Ollama(model)) => named(cx, model).await,
            Wanted::Auto => auto(cx).await,
        }
    }

    fn print(&self, how: &str, model_id: Option<&str>) -> Fingerprint {
        let sampling = match &self.wanted {
            Wanted::Model(Model::Ollama(model)) => (model.temperature, model.seed),
            _ => SAMPLING,
        };
        let print = Fingerprint::of(&("summarise", PROMPT_VERSION, self.words, how, model_id));
        if model_id.is_some() { print.and(&sampling) } else { print }
    }

    async fn condense(
        &self,
        cx: &Context,
        backend: &dyn Backend,
        options: &Options,
        document: &Document,
        text: &str,
    ) -> Result<(String, Spent)> {
        let calibration = cx.shared(ByName::<Calibration>::default).of(&backend.facts().model_id);
        let mut work = Condense {
            cx,
            backend,
            calibration: &calibration,
            options: options.clone(),
            title: &document.title,
            language: document.language.as_deref(),
            words: self.words,
            spent: Spent::default(),
        };
        let summary = work.run(text).await?;
        Ok((summary, work.spent))
    }
}

impl Step for Summarise {
    fn name(&self) -> &str {
        "summarise"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        match &self.wanted {
            Wanted::Auto => self.print("auto", None),
            Wanted::Extractive => self.print("extractive", None),
            Wanted::Model(Model::Ollama(model)) => self.print("model", Some(&model.model)),
            Wanted::Model(Model::Scripted(model)) => {
                self.print("model", Some(&model.facts().model_id))
            }
        }
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        let ready = self.find(cx).await?;
        let print = match &ready {
            Ready::Extractive => self.print("extractive", None),
            Ready::Model(backend, _) => self.print("model", Some(&backend.facts().model_id)),
            Ready::Away { id, .. } => self.print("model", id.as_deref()),
        };
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ready));
        Ok(print)
    }

    fn foresee(&self, past: Option<&Cost>) -> Foreseen {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let context = match ready.as_deref() {
            None | Some(Ready::Extractive) => return Foreseen::default(),
            Some(Ready::Model(backend, _)) => backend.facts().context,
            // Not asked while it is away: every model of today takes this much.
            Some(Ready::Away { .. }) => 4096,
        };
        foreseen(past, self.words, *self.frame.get_or_init(|| frame(self.words)), context)
    }
}

impl Stage<Document> for Summarise {
    type Out = Summary;

    async fn run(&self, document: Document, cx: &Context) -> Result<Summary> {
        let text = visible(source(&document));
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::park("the page has no text to sum up")
                .because("empty_document")
                .help("look at the page: it may need JavaScript or a login"));
        }
        let plain = visible(&document.text);
        let plain = if plain.trim().is_empty() { text } else { plain.trim() };
        let words = count_words(plain);
        let measure = Measure::of(words, text, &document.title, document.language.as_deref());
        cx.measured(serde_json::to_value(measure)?);
        if words <= u64::from(self.words) {
            return Ok(Summary::free(document, plain.to_owned(), "verbatim"));
        }
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match ready.as_deref() {
            None => Err(Error::halt("`summarise` was asked before it was prepared")
                .because("not_prepared")
                .help("run the stage in a pipeline, or call `prepare` first")),
            Some(Ready::Away { model, url, .. }) => Err(away(model, url)),
            Some(Ready::Extractive) => {
                let said = extract_summary(text, self.words);
                Ok(Summary::free(document, said, "extractive"))
            }
            Some(Ready::Model(backend, options)) => {
                let (said, spent) =
                    self.condense(cx, backend.as_ref(), options, &document, text).await?;
                let facts = backend.facts();
                Ok(Summary {
                    model: Some(facts.model.clone()),
                    model_id: Some(facts.model_id.clone()),
                    prompt_tokens: spent.prompt_tokens,
                    output_tokens: spent.output_tokens,
                    calls: spent.calls,
                    ..Summary::free(document, said, "model")
                })
            }
        }
    }

    fn input(&self, document: &Document) -> Fingerprint {
        let Document { title, text, language, .. } = document;
        Fingerprint::of(&(title, text, source(document), language))
    }
}

/// What is summed up: the markdown, which shows headings, tables and code, else the plain text.
fn source(document: &Document) -> &str {
    if document.markdown.trim().is_empty() { &document.text } else { &document.markdown }
}
