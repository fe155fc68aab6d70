//! What a run summarises with: settled once, before its first item.

use super::backend::{Backend, Options};
use super::choice::{Choice, again, first_model, gates};
use super::endpoint::shown;
use super::ollama::Ollama;
use super::server::same;
use tidemill_pipeline::{Context, Result, Verdict};

/// How long a model stays loaded after an answer, in seconds: the next item is seldom far.
const KEEP_ALIVE: u64 = 600;
/// Temperature and seed unless code says others: at 0 small models tend to repeat themselves.
pub(super) const SAMPLING: (f32, i32) = (0.3, 1);

/// What was found.
#[derive(Debug)]
pub(super) enum Ready {
    /// No model is to be used.
    Extractive,
    /// A model, and how it answers.
    Model(Box<dyn Backend>, Options),
    /// The model is away: items wait at once, and nobody asks again in this run.
    Away { model: String, url: String, id: Option<String> },
}

impl Ready {
    pub(super) fn model(backend: impl Backend + 'static, (temperature, seed): (f32, i32)) -> Self {
        let options = Options {
            num_ctx: 0, // planned per page, as is the next
            num_predict: 0,
            temperature,
            seed,
            think: backend.facts().thinking.then_some(false),
            keep_alive: KEEP_ALIVE,
        };
        Self::Model(Box::new(backend), options)
    }
}

/// The model named in code. Away is no failure of the run: its items wait.
pub(super) async fn named(cx: &Context, model: &Ollama) -> Result<Ready> {
    match model.find(&gates(cx)).await {
        Ok(found) => {
            Choice::of(&found).store(cx).await?;
            Ok(Ready::model(found, (model.temperature, model.seed)))
        }
        Err(error) if error.verdict() == Verdict::Halt => Err(error),
        Err(error) => {
            tracing::info!(%error, model = model.model, "the model is away");
            cx.say(format!("{}; the items of `{}` wait", error.headline(), model.model));
            let id = match Choice::stored(cx).await? {
                Some(Choice::Ollama { model: name, id, .. }) if same(&name, &model.model) => id,
                _ => String::new(),
            };
            // Naming a model is a choice, also while it is away: `auto` does not fall back behind it.
            let (name, url) = (model.model.clone(), shown(&model.url()?));
            let chosen = Choice::Ollama { url: url.clone(), model: name.clone(), id: id.clone() };
            chosen.store(cx).await?;
            Ok(Ready::Away { model: name, url, id: known(id) })
        }
    }
}

/// What this pipeline chose before, else what is there.
pub(super) async fn auto(cx: &Context) -> Result<Ready> {
    let stored = Choice::stored(cx).await?;
    let found = match &stored {
        Some(Choice::Ollama { url, model, .. }) => again(cx, url, model).await?,
        Some(Choice::Extractive) | None => first_model(cx).await?,
    };
    if let Some(found) = found {
        cx.say(format!("summaries by {} at {}", found.facts().model, found.address()));
        Choice::of(&found).store(cx).await?;
        return Ok(Ready::model(found, SAMPLING));
    }
    if let Some(Choice::Ollama { url, model, id }) = stored {
        cx.say(format!("the model {model} at {url} is away; its items wait"));
        return Ok(Ready::Away { model, url, id: known(id) });
    }
    Choice::Extractive.store(cx).await?;
    cx.say(
        "no local model found: summaries are the page's own key sentences; for written ones start \
         Ollama and `ollama pull qwen3:8b`",
    );
    Ok(Ready::Extractive)
}

/// The id of a model, unless it was never seen.
fn known(id: String) -> Option<String> {
    Some(id).filter(|id| !id.is_empty())
}
