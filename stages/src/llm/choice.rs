//! What `auto` uses: found once, remembered per pipeline, never changed behind one's back.

use super::backend::Backend;
use super::endpoint::{LOOPBACK, is_public, parse, shown};
use super::gate::Gate;
use super::model::OllamaModel;
use super::ollama::Ollama;
use super::server::{OllamaServer, Tag};
use super::shared::ByName;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Context, Result, ResultExt, Verdict};
use tokio::time::timeout;

/// Under this name a pipeline keeps its choice.
const NAME: &str = "summarise";
/// How long a server has to say that it is there.
const PROBE: Duration = Duration::from_millis(300);

/// How a pipeline summarises, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Choice {
    /// No model was found.
    Extractive,
    /// A model; from now on nothing else, until a person chooses again.
    Ollama {
        /// The server's address.
        url: String,
        /// The model's name.
        model: String,
        /// The model's id when it was last seen; empty when it never was.
        id: String,
    },
}

impl Choice {
    pub(super) fn of(model: &OllamaModel) -> Self {
        let facts = model.facts();
        Self::Ollama {
            url: model.address(),
            model: facts.model.clone(),
            id: facts.model_id.clone(),
        }
    }

    /// What was chosen in an earlier run, if anything.
    pub(super) async fn stored(cx: &Context) -> Result<Option<Self>> {
        let Some(text) = cx.choice(NAME).await?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let choice = serde_json::from_str(&text).doing("the stored choice of a model").or_halt()?;
        Ok(Some(choice))
    }

    /// Stores it, when it is not what is stored already.
    pub(super) async fn store(&self, cx: &Context) -> Result<()> {
        if Self::stored(cx).await?.as_ref() == Some(self) {
            return Ok(());
        }
        let text = serde_json::to_string(self).or_halt()?;
        cx.choose(NAME, &text).await
    }
}

/// The first model that can chat, at `$OLLAMA_HOST` or on this computer; `None` when there is none.
///
/// A model that is loaded comes first, then the server's own order. Cloud models and servers on
/// public addresses do not count: pages leave the house only by an explicit yes.
pub(super) async fn first_model(cx: &Context) -> Result<Option<OllamaModel>> {
    let gates = gates(cx);
    for (server, tags) in present(addresses(cx, None).await?).await {
        let loaded = server.ps().await.unwrap_or_default(); // a preference only
        let is_loaded = |tag: &Tag| loaded.iter().any(|other| other.name == tag.name);
        let (first, then): (Vec<Tag>, Vec<Tag>) =
            tags.into_iter().filter(|tag| !tag.is_remote()).partition(is_loaded);
        for tag in first.into_iter().chain(then) {
            let Ok(info) = server.show(&tag.name).await else { continue };
            let can = &info.capabilities;
            let chats = can.iter().any(|can| can == "completion")
                || (can.is_empty() && !tag.name.contains("embed"));
            if chats {
                let max = Ollama::model(&tag.name).max_context;
                return Ok(Some(OllamaModel::new(&gates, server, &tag, &info, max)));
            }
        }
    }
    Ok(None)
}

/// The chosen model, wherever it now is: at its old address, on this computer, at `$OLLAMA_HOST`.
/// `Ok(None)` when no server is there; an error when one is and does not have the model.
pub(super) async fn again(cx: &Context, url: &str, model: &str) -> Result<Option<OllamaModel>> {
    let gates = gates(cx);
    let mut missing = None;
    for (server, _) in present(addresses(cx, Some(url)).await?).await {
        match Ollama::model(model).at(server.address()).find(&gates).await {
            Ok(found) => return Ok(Some(found)),
            Err(error) if error.verdict() != Verdict::Halt => {} // gone again
            // Another server than the chosen one need not have the model: that one is just away.
            Err(error) if server.address() == url => missing = Some(error),
            Err(_) => {}
        }
    }
    missing.map_or(Ok(None), Err)
}

/// The gates of the mill's endpoints.
pub(super) fn gates(cx: &Context) -> Arc<ByName<Gate>> {
    cx.shared(ByName::default)
}

/// Where to look, each address once and in this order.
async fn addresses(cx: &Context, stored: Option<&str>) -> Result<Vec<OllamaServer>> {
    let mut found: Vec<OllamaServer> = Vec::new();
    let host = std::env::var("OLLAMA_HOST").ok().filter(|host| !host.trim().is_empty());
    for address in [stored, host.as_deref(), Some(LOOPBACK)].into_iter().flatten() {
        let url = parse(address)?;
        if found.iter().any(|other| other.base() == &url) {
            continue;
        }
        match timeout(PROBE, is_public(&url)).await {
            Ok(Ok(false)) => found.push(OllamaServer::new(url)?),
            Ok(Ok(true)) => cx.say(format!(
                "{} is a public address and was not asked; name it in code with \
                 `.public_endpoint(true)` if pages may go there",
                shown(&url)
            )),
            Ok(Err(_)) | Err(_) => {} // a name that nobody knows now: away, as any other
        }
    }
    Ok(found)
}

/// The servers that answer within 300 ms, with their models, in the order given.
async fn present(servers: Vec<OllamaServer>) -> Vec<(OllamaServer, Vec<Tag>)> {
    let probes = servers.into_iter().map(|server| async move {
        match timeout(PROBE, server.tags()).await {
            Ok(Ok(tags)) => Some((server, tags)),
            Ok(Err(_)) | Err(_) => None, // not there, or no Ollama: that is what was asked
        }
    });
    join_all(probes).await.into_iter().flatten().collect()
}
