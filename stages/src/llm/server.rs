//! An Ollama server over HTTP: which models it has, what they can, what is loaded.

use super::endpoint::{parse, shown};
use ollama_rs::models::ModelInfo;
use reqwest::{Client, Response, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;
use tidemill_pipeline::{Error, Result};
use url::Url;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a question about models may take; answers of models have no such bound.
const FACTS: Duration = Duration::from_secs(20);

/// A model that a server has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tag {
    /// The name with its tag, for instance `qwen3:8b`.
    pub name: String,
    /// The hash of the model; what records call the model id.
    #[serde(default)]
    pub digest: String,
    /// Where it really runs when it is a cloud model that the server only passes on.
    #[serde(default)]
    pub remote_host: Option<String>,
    /// The context it is loaded with, in tokens; only in what is loaded.
    #[serde(default)]
    pub context_length: Option<u32>,
}

impl Tag {
    /// Whether its prompts leave the machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.remote_host.as_deref().is_some_and(|host| !host.is_empty())
            || self.name.ends_with("-cloud")
            || self.name.ends_with(":cloud")
    }
}

/// Whether a person means the model `full` by `name`; without a tag, `latest` is meant.
pub(super) fn same(full: &str, name: &str) -> bool {
    full == name || full.strip_suffix(":latest") == Some(name)
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    models: Vec<Tag>,
}

/// An Ollama server, asked about its models.
#[derive(Debug, Clone)]
pub struct OllamaServer {
    base: Url,
    client: Client,
}

impl OllamaServer {
    /// The server at `host`, `host:port` or `http://host:port/path`. Does not connect yet.
    ///
    /// # Errors
    /// Halts when this is no usable address.
    pub fn at(address: &str) -> Result<Self> {
        Self::new(parse(address)?)
    }

    pub(super) fn new(base: Url) -> Result<Self> {
        // No proxy and no redirect: pages go to the address that was named, or nowhere.
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|e| Error::halt("the HTTP client does not start").caused_by(e))?;
        Ok(Self { base, client })
    }

    /// The address, without a trailing slash.
    #[must_use]
    pub fn address(&self) -> String {
        shown(&self.base)
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The models it has (`/api/tags`), in its own order: the newest first.
    ///
    /// # Errors
    /// Waits (`model_away`) when it cannot be reached; retries what is no answer.
    pub async fn tags(&self) -> Result<Vec<Tag>> {
        Ok(self.get::<Tags>("api/tags").await?.models)
    }

    /// The models it has loaded (`/api/ps`).
    ///
    /// # Errors
    /// As [`tags`](OllamaServer::tags).
    pub async fn ps(&self) -> Result<Vec<Tag>> {
        Ok(self.get::<Tags>("api/ps").await?.models)
    }

    /// What it knows of a model (`/api/show`): capabilities, context length, template.
    ///
    /// # Errors
    /// Halts (`model_missing`) when it does not have the model; else as [`tags`](OllamaServer::tags).
    pub async fn show(&self, model: &str) -> Result<ModelInfo> {
        let request = self.client.post(self.url("api/show")?).json(&json!({ "model": model }));
        let response = request.timeout(FACTS).send().await.map_err(|e| self.broken(e))?;
        Self::read(self.accepted(response, model).await?).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let request = self.client.get(self.url(path)?).timeout(FACTS);
        let response = request.send().await.map_err(|e| self.broken(e))?;
        Self::read(self.accepted(response, "").await?).await
    }

    async fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
        response.json().await.map_err(|e| {
            Error::retry("the model server's answer cannot be read")
                .because("model_error")
                .caused_by(e)
                .help("check that an Ollama server listens at this address")
        })
    }

    /// Posts a chat request; the answer's body is still to come.
    pub(super) async fn post_chat(
        &self,
        model: &str,
        body: &serde_json::Value,
    ) -> Result<Response> {
        let request = self.client.post(self.url("api/chat")?).json(body);
        let response = request.send().await.map_err(|e| self.broken(e))?;
        self.accepted(response, model).await
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.base.join(path).map_err(|e| {
            Error::halt(format!("no address for `{path}`")).because("bad_endpoint").caused_by(e)
        })
    }

    /// The response when its status is a success, else what the refusal means.
    async fn accepted(&self, response: Response, model: &str) -> Result<Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let asked = retry_after(&response);
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => format!("and the reason could not be read: {error}"),
        };
        let error = self.refusal(status, said(&text), model);
        Err(match asked {
            Some(delay) => error.after(delay),
            None => error,
        })
    }

    fn refusal(&self, status: StatusCode, said: String, model: &str) -> Error {
        let at = self.address();
        if is_overflow(&said) {
            return overflow(&said);
        }
        match status.as_u16() {
            404 if !model.is_empty() => missing(model, &at),
            429 | 503 => Error::retry(format!("the model server at {at} is busy: {said}"))
                .because("model_busy")
                .help("it is asked again; fewer `.workers(n)` ask less at once"),
            401 | 403 => Error::halt(format!("the model server at {at} wants a login: {said}"))
                .because("model_refused")
                .help("use a server that is open to this machine"),
            500.. => Error::retry(format!("the model server at {at} failed ({status}): {said}"))
                .because("model_error")
                .help("look at the server's own log; it may be short of memory"),
            _ => Error::park(format!("the model server at {at} refused ({status}): {said}"))
                .because("model_refused")
                .help("check that the model can chat: `ollama show NAME`"),
        }
    }

    /// What a connection's failure means.
    pub(super) fn broken(&self, error: reqwest::Error) -> Error {
        let at = self.address();
        // Addresses in messages come from us; the client's copy would repeat them.
        let error = error.without_url();
        if error.is_connect() {
            return Error::wait(format!("no model server answers at {at}"))
                .because("model_away")
                .caused_by(error)
                .help("start it (`ollama serve`); waiting items go on by themselves");
        }
        let reason = if error.is_timeout() { "model_timeout" } else { "model_dropped" };
        Error::retry(format!("the connection to the model server at {at} broke"))
            .because(reason)
            .caused_by(error)
            .help("look at the server's own log; it may be short of memory")
    }
}

/// The model is not there, though the server is.
pub(super) fn missing(model: &str, at: &str) -> Error {
    Error::halt(format!("the model server at {at} has no model `{model}`"))
        .because("model_missing")
        .help(format!("`ollama pull {model}`"))
}

/// The prompt did not fit: the caller plans again.
pub(super) fn overflow(said: &str) -> Error {
    Error::park(format!("the prompt is longer than the model's context: {said}"))
        .because("context_overflow")
}

/// Ollama's and llama.cpp's words for a prompt that does not fit.
pub(super) fn is_overflow(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("context") && (said.contains("exceed") || said.contains("too long"))
}

/// The text of an error body: `{"error": "…"}`, `{"error": {"message": "…"}}`, or as it is.
pub(super) fn said(body: &str) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
    let error = &parsed["error"];
    let text = error.as_str().or_else(|| error["message"].as_str()).unwrap_or(body);
    text.trim().chars().take(300).collect()
}

/// `Retry-After` in seconds, at most ten minutes; the form with a date is not used by model servers.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(600)))
}
