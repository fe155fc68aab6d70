//! A model that was found on an Ollama server: how it is asked.

use super::backend::{Answer, Backend, Facts, Request};
use super::budget::weigh;
use super::gate::{Gate, Load};
use super::server::{OllamaServer, Tag};
use super::shared::ByName;
use super::stream::{Reply, read, silent};
use futures_util::future::{BoxFuture, FutureExt};
use ollama_rs::generation::chat::{ChatMessage, request::ChatMessageRequest};
use ollama_rs::generation::parameters::{KeepAlive, TimeUnit};
use ollama_rs::models::{ModelInfo, ModelOptions};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidemill_pipeline::{Error, Result};
use tokio::time::{Instant, timeout_at};

/// How long loading a model and queueing may take before the first token.
const FIRST_TOKEN: Duration = Duration::from_secs(300);
/// Reading the prompt on top of that: the speed of a small computer without a graphics card.
const PER_PROMPT_TOKEN: Duration = Duration::from_millis(50);
/// After a refused connection, how long nothing is sent there.
const AWAY_FOR: Duration = Duration::from_secs(60);

/// A model that was found.
#[derive(Debug)]
pub(super) struct OllamaModel {
    server: OllamaServer,
    facts: Facts,
    gate: Arc<Gate>,
    away_until: Mutex<Option<Instant>>,
}

impl OllamaModel {
    pub(super) fn new(
        gates: &ByName<Gate>,
        server: OllamaServer,
        tag: &Tag,
        info: &ModelInfo,
        max_context: u32,
    ) -> Self {
        let facts = Facts {
            model: tag.name.clone(),
            model_id: tag.digest.clone(),
            context: context_length(info).min(max_context),
            thinking: info.capabilities.iter().any(|can| can == "thinking"),
        };
        let gate = gates.of(server.base().as_str());
        Self { server, facts, gate, away_until: Mutex::new(None) }
    }

    pub(super) fn address(&self) -> String {
        self.server.address()
    }

    async fn ask(&self, request: &Request) -> Result<Answer> {
        self.not_away()?;
        let pass = self.gate.enter().await;
        self.not_away()?; // it may have gone while this request stood in line
        let result = self.exchange(request).await;
        if let Err(error) = &result {
            let refused = matches!(
                error.reason(),
                "model_busy" | "model_timeout" | "model_dropped" | "model_error"
            );
            if refused {
                self.gate.learn(Load::Refused);
            }
            if error.reason() == "model_away" {
                *self.away_until() = Some(Instant::now() + AWAY_FOR);
            }
        }
        drop(pass);
        result
    }

    async fn exchange(&self, request: &Request) -> Result<Answer> {
        let body = self.body(request)?;
        let begun = Instant::now();
        let tokens = weigh(&request.system) + weigh(&request.user);
        let first_by = begun + FIRST_TOKEN + PER_PROMPT_TOKEN.mul_f64(tokens);
        let response = timeout_at(first_by, self.server.post_chat(&self.facts.model, &body))
            .await
            .map_err(|_| silent(true))??;
        let reply = read(response, first_by, |e| self.server.broken(e)).await?;
        Ok(self.answer(reply, begun))
    }

    fn answer(&self, reply: Reply, begun: Instant) -> Answer {
        let Reply { text, end, first } = reply;
        let took = begun.elapsed();
        let load = Duration::from_nanos(end.load_duration.unwrap_or(0));
        if let Some(reading) = end.prompt_eval_duration {
            let before_first = first.saturating_duration_since(begun);
            let queued = before_first.saturating_sub(load + Duration::from_nanos(reading));
            let share = queued.as_secs_f64() / took.as_secs_f64().max(0.001);
            self.gate.learn(Load::Served { queued: share });
        }
        Answer {
            text,
            prompt_tokens: end.prompt_eval_count,
            output_tokens: end.eval_count,
            done_reason: end.done_reason.unwrap_or_else(|| "stop".into()),
            model: self.facts.model.clone(),
            model_id: self.facts.model_id.clone(),
            ms: millis(took),
            load_ms: millis(load),
        }
    }

    /// The request in Ollama's words. `truncate: false` makes it refuse what does not fit; older
    /// servers ignore it, hence the check of every answer.
    fn body(&self, request: &Request) -> Result<Value> {
        let with = &request.options;
        let options = ModelOptions::default()
            .num_ctx(u64::from(with.num_ctx))
            .num_predict(i32::try_from(with.num_predict).unwrap_or(i32::MAX))
            .temperature(with.temperature)
            .seed(with.seed);
        let messages = vec![
            ChatMessage::system(request.system.clone()),
            ChatMessage::user(request.user.clone()),
        ];
        let mut chat = ChatMessageRequest::new(self.facts.model.clone(), messages)
            .options(options)
            .keep_alive(KeepAlive::Until { time: with.keep_alive, unit: TimeUnit::Seconds });
        if let Some(think) = with.think {
            chat = chat.think(think);
        }
        let mut body = serde_json::to_value(&chat)
            .map_err(|e| Error::park("the request cannot be written as JSON").caused_by(e))?;
        body["stream"] = Value::Bool(true);
        body["truncate"] = Value::Bool(false);
        Ok(body)
    }

    fn not_away(&self) -> Result<()> {
        if self.away_until().is_some_and(|until| Instant::now() < until) {
            return Err(away(&self.facts.model, &self.address()));
        }
        Ok(())
    }

    fn away_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for OllamaModel {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn chat<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer>> {
        self.ask(request).boxed()
    }
}

/// The model's server is not there; nothing was sent.
pub(super) fn away(model: &str, address: &str) -> Error {
    Error::wait(format!("the model `{model}` at {address} is away"))
        .because("model_away")
        .help("start its server (`ollama serve`); the next run takes waiting items first")
}

/// The context the model was made for, in tokens; 4096 when the server does not say.
fn context_length(info: &ModelInfo) -> u32 {
    let length = info.model_info.iter().find(|(key, _)| key.ends_with(".context_length"));
    let tokens = length.and_then(|(_, value)| value.as_u64()).unwrap_or(4096);
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
