//! A model on an Ollama server: how it is named in code, and found.

use super::endpoint::{LOOPBACK, is_public, parse};
use super::gate::Gate;
use super::model::OllamaModel;
use super::ready::SAMPLING;
use super::server::{OllamaServer, missing, same};
use super::shared::ByName;
use tidemill_pipeline::{Error, Result};
use url::Url;

/// A model on an Ollama server, named in code. It is never replaced by another way to summarise:
/// when it is away, items wait.
///
/// The server is the one given by [`at`](Ollama::at), else `$OLLAMA_HOST`, else
/// `http://127.0.0.1:11434`.
#[derive(Debug, Clone)]
pub struct Ollama {
    pub(super) model: String,
    pub(super) address: Option<String>,
    pub(super) public: bool,
    pub(super) max_context: u32,
    pub(super) temperature: f32,
    pub(super) seed: i32,
}

impl Ollama {
    /// The model by its name, for instance `qwen3:8b`.
    pub fn model(name: impl Into<String>) -> Self {
        Self {
            model: name.into(),
            address: None,
            public: false,
            max_context: 16_384,
            temperature: SAMPLING.0,
            seed: SAMPLING.1,
        }
    }

    /// The server's address: `host`, `host:port` or `http://host:port/path`.
    #[must_use]
    pub fn at(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Says yes to sending pages out of the house: to a server on a public address, or to a cloud
    /// model behind a local server. Without it, both are refused.
    #[must_use]
    pub fn public_endpoint(mut self, yes: bool) -> Self {
        self.public = yes;
        self
    }

    /// The largest context to ask for, in tokens (16 384 unless told; never more than the model
    /// has). A larger one takes more memory on the server; a smaller one makes more pieces.
    #[must_use]
    pub fn max_context(mut self, tokens: u32) -> Self {
        self.max_context = tokens;
        self
    }

    /// How freely it writes; 0.3 unless told. At 0 small models tend to repeat themselves.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// The seed of the sampler.
    #[must_use]
    pub fn seed(mut self, seed: i32) -> Self {
        self.seed = seed;
        self
    }

    /// The address that is meant, with the environment's when code names none.
    pub(super) fn url(&self) -> Result<Url> {
        match (&self.address, std::env::var("OLLAMA_HOST")) {
            (Some(address), _) => parse(address),
            (None, Ok(address)) if !address.trim().is_empty() => {
                parse(&address).map_err(|e| e.context("$OLLAMA_HOST"))
            }
            _ => parse(LOOPBACK),
        }
    }

    /// Looks the model up on its server.
    ///
    /// # Errors
    /// Waits (`model_away`) when the server is not there, halts when it has no such model
    /// (`model_missing`) or when pages would leave the house without a yes (`public_endpoint`).
    pub(super) async fn find(&self, gates: &ByName<Gate>) -> Result<OllamaModel> {
        let url = self.url()?;
        if !self.public && is_public(&url).await? {
            return Err(leaves_the_house(&format!("`{}` is a public address", url.as_str())));
        }
        let server = OllamaServer::new(url)?;
        let tags = server.tags().await?;
        let Some(tag) = tags.into_iter().find(|tag| same(&tag.name, &self.model)) else {
            return Err(missing(&self.model, &server.address()));
        };
        if !self.public && tag.is_remote() {
            return Err(leaves_the_house(&format!("`{}` runs in a cloud", tag.name)));
        }
        let info = server.show(&tag.name).await?;
        Ok(OllamaModel::new(gates, server, &tag, &info, self.max_context))
    }
}

fn leaves_the_house(why: &str) -> Error {
    Error::halt(format!("pages would be sent out of the house: {why}"))
        .because("public_endpoint")
        .help("if that is meant, say `.public_endpoint(true)` on the model")
}
