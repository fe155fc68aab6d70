//! What is asked of a model, what comes back, and the one trait behind which a model stands.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tidemill_pipeline::{Fingerprint, Result};

/// Raised when the meaning of a journaled [`Answer`] changes, so that old ones are not reused.
const CONTRACT: u32 = 1;

/// A model that can be asked; one value per endpoint and model.
///
/// Only the journal may stand between a stage and [`chat`](Backend::chat): every call goes through
/// `cx.remember`, keyed by [`Request::key`].
pub trait Backend: std::fmt::Debug + Send + Sync {
    /// What is known about the model.
    fn facts(&self) -> &Facts;

    /// Asks once.
    ///
    /// # Errors
    /// `model_busy`, `model_timeout`, `model_dropped` and `model_error` are worth another try,
    /// `model_away` waits, `model_missing` halts, and `context_overflow` says that the prompt did
    /// not fit (the caller plans again, smaller).
    fn chat<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer>>;
}

/// What is known about a model before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The name it is asked by, for instance `qwen3:8b`.
    pub model: String,
    /// The hash of its weights and settings; the same name may mean another model tomorrow.
    pub model_id: String,
    /// The largest context that will be asked for, in tokens.
    pub context: u32,
    /// Whether it thinks aloud unless told not to.
    pub thinking: bool,
}

/// One question: instructions, the page as data, and how to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The instructions.
    pub system: String,
    /// The material, fenced.
    pub user: String,
    /// How to answer.
    pub options: Options,
}

impl Request {
    /// The key of the answer in the journal: model id, messages, options and contract version.
    #[must_use]
    pub fn key(&self, model_id: &str) -> Fingerprint {
        let Options { num_ctx, num_predict, temperature, seed, think, keep_alive: _ } =
            &self.options;
        Fingerprint::of(&("llm answer", CONTRACT, model_id, &self.system, &self.user)).and(&(
            num_ctx,
            num_predict,
            temperature,
            seed,
            think,
        ))
    }
}

/// How to answer. Nothing here is left to the server's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// The context, in tokens: prompt and answer together.
    pub num_ctx: u32,
    /// The longest answer, in tokens.
    pub num_predict: u32,
    /// How freely the model writes; 0 is always the likeliest token.
    pub temperature: f32,
    /// The seed of the sampler.
    pub seed: i32,
    /// Whether to think aloud; `None` for models that do not know the switch.
    pub think: Option<bool>,
    /// How long the model stays loaded after the answer, in seconds. Does not change the answer.
    pub keep_alive: u64,
}

/// What a model answered; journaled as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text, as it came, without what arrived as thinking.
    pub text: String,
    /// Tokens of the prompt as the server counted them; `None` when it did not say.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer; `None` when the server did not say.
    pub output_tokens: Option<u64>,
    /// Why it ended: `stop`, `length`, or whatever the server calls it.
    pub done_reason: String,
    /// The model's name.
    pub model: String,
    /// The model's id.
    pub model_id: String,
    /// From the request to the last byte, in milliseconds.
    pub ms: u64,
    /// Of these, loading the model, in milliseconds.
    pub load_ms: u64,
}
