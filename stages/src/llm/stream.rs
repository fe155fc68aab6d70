//! The reply of `/api/chat`, part by part, until the line that says it is done.

use super::ndjson::Lines;
use super::server::{is_overflow, overflow, said};
use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tidemill_pipeline::{Error, Result};
use tokio::time::{Instant, timeout_at};

/// The longest silence between two parts.
const IDLE: Duration = Duration::from_secs(60);

/// One line of the stream. Thinking arrives in a field of its own, and is left out.
#[derive(Debug, Default, Deserialize)]
struct Part {
    message: Option<Message>,
    #[serde(default)]
    done: bool,
    error: Option<Value>,
    #[serde(flatten)]
    end: End,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<String>,
}

/// What the last line says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct End {
    pub(super) done_reason: Option<String>,
    pub(super) prompt_eval_count: Option<u64>,
    pub(super) eval_count: Option<u64>,
    /// Nanoseconds.
    pub(super) load_duration: Option<u64>,
    /// Nanoseconds.
    pub(super) prompt_eval_duration: Option<u64>,
}

/// A whole reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) end: End,
    /// When the first part came.
    pub(super) first: Instant,
}

/// Reads a reply to its end. `first_by` is when its first part has to be there.
///
/// # Errors
/// Retries: `model_timeout` on silence, `model_dropped` when it ends before it says that it is
/// done, `model_error` when it carries an error, `model_garbled` when a line is no JSON.
pub(super) async fn read(
    mut response: Response,
    first_by: Instant,
    broken: impl Fn(reqwest::Error) -> Error,
) -> Result<Reply> {
    let mut lines = Lines::default();
    let mut text = String::new();
    let mut first = None;
    let mut by = first_by;
    loop {
        let chunk = timeout_at(by, response.chunk()).await.map_err(|_| silent(first.is_none()))?;
        let Some(chunk) = chunk.map_err(&broken)? else {
            break;
        };
        let now = Instant::now();
        let first = *first.get_or_insert(now);
        by = now + IDLE;
        lines.push(&chunk)?;
        while let Some(line) = lines.next() {
            if let Some(end) = take(line, &mut text)? {
                return Ok(Reply { text, end, first });
            }
        }
    }
    // The last line may lack its line end.
    match lines.rest().map(|line| take(line, &mut text)).transpose() {
        Ok(Some(Some(end))) => Ok(Reply { text, end, first: first.unwrap_or(first_by) }),
        Err(error) if error.reason() != "model_garbled" => Err(error),
        _ => Err(Error::retry("the model's answer ended in the middle")
            .because("model_dropped")
            .help("look at the server's own log; it may have crashed or been stopped")),
    }
}

/// Adds the part's text; the end, when this was it.
fn take(line: &[u8], text: &mut String) -> Result<Option<End>> {
    let part: Part = serde_json::from_slice(line).map_err(|e| {
        Error::retry("the model server sent a line that is no JSON")
            .because("model_garbled")
            .caused_by(e)
            .help("check that an Ollama server listens at this address")
    })?;
    if let Some(error) = part.error {
        let said = said(&error.as_str().map_or_else(|| error.to_string(), str::to_owned));
        if is_overflow(&said) {
            return Err(overflow(&said));
        }
        return Err(Error::retry(format!("the model failed while it answered: {said}"))
            .because("model_error")
            .help("look at the server's own log; it may be short of memory"));
    }
    if let Some(content) = part.message.and_then(|message| message.content) {
        text.push_str(&content);
    }
    Ok(part.done.then_some(part.end))
}

/// No byte in time.
pub(super) fn silent(at_first: bool) -> Error {
    let what = if at_first { "did not begin to answer" } else { "fell silent in its answer" };
    Error::retry(format!("the model {what} in time"))
        .because("model_timeout")
        .help("a smaller model, or fewer `.workers(n)`, answers sooner")
}
