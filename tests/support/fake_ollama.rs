//! Ollama's wire protocol on loopback, with a model that needs no weights, faults, and judges.
//!
//! It was modelled on what Ollama 0.33 does, as read in its source: it proves our client, not
//! Ollama.

mod call;
mod mind;

use std::sync::Arc;

use serde_json::{Value, json};

use super::http::{Gate, Reply, Request, Server, Watched};
use mind::{Break, Mind, Model, full, refusal};

pub(crate) use mind::Prompt;

/// The model that [`FakeOllama::start`] serves.
pub(crate) const TINY: &str = "tiny:latest";

/// A model server; dropping it stops it.
pub(crate) struct FakeOllama {
    server: Server,
    mind: Arc<Watched<Mind>>,
}

impl FakeOllama {
    /// Serves `tiny:latest` with a context of 4096 tokens.
    pub(crate) fn start() -> Self {
        Self::serving(&[TINY])
    }

    /// Serves these models, in this order; or none.
    pub(crate) fn serving(names: &[&str]) -> Self {
        let models = names.iter().map(|name| Model::named(name)).collect();
        let mind = Arc::new(Watched::new(Mind::with(models)));
        let thinking = Arc::clone(&mind);
        let server = Server::start(move |request| answer(&thinking, request));
        FakeOllama { server, mind }
    }

    /// The base URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    // What it is

    /// The most tokens that its models can take in.
    pub(crate) fn context_length(&self, tokens: u64) {
        self.mind.with(|mind| mind.context_length = tokens);
    }

    /// What `/api/show` says that its models can do; `["completion"]` at the start.
    pub(crate) fn capabilities(&self, capabilities: &[&'static str]) {
        self.mind.with(|mind| mind.capabilities = capabilities.to_vec());
    }

    /// Whether a `format` is dropped without a word, as some models do.
    pub(crate) fn ignore_format(&self, ignored: bool) {
        self.mind.with(|mind| mind.ignores_format = ignored);
    }

    /// Another model takes the place of the first one, under the same name.
    pub(crate) fn model_digest(&self, digest: &str) {
        self.mind.with(|mind| {
            mind.loaded = None;
            mind.models.iter_mut().take(1).for_each(|model| model.digest = digest.to_owned());
        });
    }

    /// The digest of its first model, as `/api/tags` tells it.
    pub(crate) fn digest(&self) -> String {
        self.mind.with(|mind| mind.models.first().map(|m| m.digest.clone()).unwrap_or_default())
    }

    // Faults

    /// Streams go out in pieces of `n` bytes, cutting JSON and UTF-8 anywhere.
    pub(crate) fn chunk_bytes(&self, n: usize) {
        self.mind.with(|mind| mind.chunk_bytes = Some(n));
    }

    /// The next stream ends with an error line after `k` parts, its status being 200 already.
    pub(crate) fn stream_error_after(&self, k: usize) {
        self.mind.with(|mind| mind.break_next = Some((k, Break::Error)));
    }

    /// The next stream stops after `k` parts, until [`FakeOllama::release`].
    pub(crate) fn stall_after(&self, k: usize) {
        self.mind.with(|mind| mind.break_next = Some((k, Break::Stall)));
    }

    /// The next stream breaks off after `k` parts.
    pub(crate) fn tear_after(&self, k: usize) {
        self.mind.with(|mind| mind.break_next = Some((k, Break::Tear)));
    }

    /// The next stream ends in good order after `k` parts, without its `done` line.
    pub(crate) fn end_after(&self, k: usize) {
        self.mind.with(|mind| mind.break_next = Some((k, Break::End)));
    }

    /// The next `n` calls get 503.
    pub(crate) fn busy_next(&self, n: usize) {
        self.mind.with(|mind| mind.busy_next = n);
    }

    /// The next `n` calls get no answer but a closed connection.
    pub(crate) fn drop_next(&self, n: usize) {
        self.mind.with(|mind| mind.drop_next = n);
    }

    /// The next `n` calls get nothing at all until [`FakeOllama::release`].
    pub(crate) fn hang_next(&self, n: usize) {
        self.mind.with(|mind| mind.hang_next = n);
    }

    /// Every call from now on gets nothing until [`FakeOllama::release`].
    pub(crate) fn hold(&self) {
        self.mind.with(|mind| mind.holding = true);
    }

    /// Lets `n` calls that hang, stall or are held go on; calls to come count as well.
    pub(crate) fn release(&self, n: usize) {
        self.mind.with(|mind| mind.gate.release(n));
    }

    /// Lets all of them go on and holds no more.
    pub(crate) fn release_all(&self) {
        self.mind.with(|mind| {
            mind.holding = false;
            std::mem::replace(&mut mind.gate, Gate::closed()).open();
        });
    }

    /// Breaks every connection and refuses new ones.
    pub(crate) fn go_away(&self) {
        self.server.go_away();
    }

    /// Listens again, on the same port.
    pub(crate) fn come_back(&self) {
        self.server.come_back();
    }

    // Judges

    /// Answers fully sent.
    pub(crate) fn calls(&self) -> usize {
        self.mind.with(|mind| mind.calls)
    }

    /// Calls begun: all but those refused (busy, dropped, no such model, too long).
    pub(crate) fn started(&self) -> usize {
        self.mind.with(|mind| mind.started)
    }

    /// Blocks the thread until [`FakeOllama::calls`] is at least `n`.
    pub(crate) fn wait_for_calls(&self, n: usize) {
        self.mind.wait(&format!("{n} answers of the model"), |mind| mind.calls >= n);
    }

    /// Blocks the thread until [`FakeOllama::started`] is at least `n`.
    pub(crate) fn wait_for_started(&self, n: usize) {
        self.mind.wait(&format!("{n} calls of the model"), |mind| mind.started >= n);
    }

    /// Blocks the thread until nothing is open any more of clients that are gone; needs that no
    /// call is held.
    pub(crate) fn settle(&self) {
        self.server.settle();
    }

    /// Every different request in the order first asked, with its counts.
    pub(crate) fn prompts(&self) -> Vec<Prompt> {
        self.mind.with(|mind| mind.prompts.clone())
    }

    /// Requests whose answer was sent more than once: with a client that loses nothing, none.
    pub(crate) fn repeated(&self) -> Vec<Prompt> {
        self.prompts().into_iter().filter(|prompt| prompt.answered > 1).collect()
    }

    /// Prompts cut without a word.
    pub(crate) fn truncated(&self) -> usize {
        self.mind.with(|mind| mind.truncated)
    }

    /// How often a model was loaded, because it was another one or had another `num_ctx`.
    pub(crate) fn loads(&self) -> usize {
        self.mind.with(|mind| mind.loads)
    }

    /// The most requests that were ever unanswered at the same time.
    pub(crate) fn max_parallel(&self) -> usize {
        self.server.max_parallel()
    }

    /// How often a path was asked for, whatever the answer was.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.server.hits(path)
    }

    /// Every request, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

fn answer(mind: &Arc<Watched<Mind>>, request: &Request) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/") => Reply::full(200, "text/plain", "Ollama is running"),
        ("GET", "/api/version") => full(200, &json!({ "version": "0.33.0" })),
        ("GET", "/api/tags") => full(200, &mind.with(|mind| tags(mind))),
        ("GET", "/api/ps") => full(200, &mind.with(|mind| loaded(mind))),
        ("POST", "/api/show") => parsed(request, |asked| mind.with(|mind| show(mind, asked))),
        ("POST", "/api/chat") => parsed(request, |asked| chat(mind, asked)),
        _ => refusal(404, "not found"),
    }
}

fn parsed(request: &Request, then: impl FnOnce(&Value) -> Result<Reply, Reply>) -> Reply {
    match serde_json::from_slice(&request.body) {
        Ok(asked) => then(&asked).unwrap_or_else(|refused| refused),
        Err(e) => refusal(400, &e.to_string()),
    }
}

fn chat(mind: &Arc<Watched<Mind>>, asked: &Value) -> Result<Reply, Reply> {
    let (reply, completes) = mind.with(|mind| mind.chat(asked))?;
    let Some(identity) = completes else { return Ok(reply) };
    let mind = Arc::clone(mind);
    Ok(reply.on_sent(move || mind.with(|mind| mind.answered(identity))))
}

fn tags(mind: &Mind) -> Value {
    json!({ "models": mind.models.iter().map(described).collect::<Vec<_>>() })
}

fn loaded(mind: &Mind) -> Value {
    let entry = |(model, num_ctx): &(Model, u64)| {
        let mut entry = described(model);
        entry["context_length"] = (*num_ctx).into();
        entry["expires_at"] = mind::NOT_LONG_AGO.into();
        entry["size_vram"] = 0.into();
        entry
    };
    json!({ "models": mind.loaded.iter().map(entry).collect::<Vec<_>>() })
}

fn show(mind: &Mind, asked: &Value) -> Result<Reply, Reply> {
    let name = asked["model"].as_str().or(asked["name"].as_str()).unwrap_or_default();
    mind.model(name)?;
    let answer = json!({
        "modelfile": "",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": details(),
        "model_info": {
            "general.architecture": "llama",
            "llama.context_length": mind.context_length,
            "llama.embedding_length": 640,
        },
        "capabilities": mind.capabilities,
    });
    Ok(full(200, &answer))
}

fn described(model: &Model) -> Value {
    json!({
        "name": model.name,
        "model": model.name,
        "modified_at": mind::NOT_LONG_AGO,
        "size": 7_150_000,
        "digest": model.digest,
        "details": details(),
    })
}

fn details() -> Value {
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "1M",
        "quantization_level": "F32",
    })
}
