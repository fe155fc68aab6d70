//! What the fake server knows and counts, and what it makes of a chat request.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::super::http::{Gate, Piece, Reply};
use super::call::{Answer, Call};

pub(super) const NOT_LONG_AGO: &str = "2026-11-01T06:00:00Z";
const BUSY: &str = "server busy, please try again.  maximum pending requests exceeded";
/// The tokens at the head of a prompt that a silent cut spares.
const KEPT_BY_A_CUT: u64 = 5;

/// One request to the model and what became of it; identical requests are one.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    /// `role: content` of each message, a line each.
    pub(crate) text: String,
    /// How often it was asked.
    pub(crate) started: usize,
    /// How often the whole answer was sent.
    pub(crate) answered: usize,
    /// When it was asked, each time.
    pub(crate) started_at: Vec<Instant>,
    /// When the last byte of each whole answer was handed to the socket.
    pub(crate) sent_at: Vec<Instant>,
}

/// A model by name and content.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) digest: String,
}

impl Model {
    pub(super) fn named(name: &str) -> Self {
        let word = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, name).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        };
        Model { name: name.to_owned(), digest: (0..4).map(word).collect() }
    }
}

/// How a stream ends before its time.
#[derive(Clone, Copy)]
pub(super) enum Break {
    Error,
    Stall,
    Tear,
    End,
}

/// Everything that changes.
pub(super) struct Mind {
    pub(super) models: Vec<Model>,
    pub(super) context_length: u64,
    pub(super) capabilities: Vec<&'static str>,
    pub(super) ignores_format: bool,
    /// The loaded model and its `num_ctx`.
    pub(super) loaded: Option<(Model, u64)>,
    pub(super) chunk_bytes: Option<usize>,
    pub(super) break_next: Option<(usize, Break)>,
    pub(super) busy_next: usize,
    pub(super) drop_next: usize,
    pub(super) hang_next: usize,
    pub(super) holding: bool,
    pub(super) gate: Gate,
    pub(super) prompts: Vec<Prompt>,
    /// Where each prompt is in the list, by its call's identity.
    places: HashMap<u64, usize>,
    pub(super) started: usize,
    pub(super) calls: usize,
    pub(super) truncated: usize,
    pub(super) loads: usize,
}

impl Mind {
    pub(super) fn with(models: Vec<Model>) -> Self {
        Mind {
            models,
            context_length: 4096,
            capabilities: vec!["completion"],
            ignores_format: false,
            loaded: None,
            chunk_bytes: None,
            break_next: None,
            busy_next: 0,
            drop_next: 0,
            hang_next: 0,
            holding: false,
            gate: Gate::closed(),
            prompts: Vec::new(),
            places: HashMap::new(),
            started: 0,
            calls: 0,
            truncated: 0,
            loads: 0,
        }
    }

    /// Finds a model as Ollama does: `tiny` is `tiny:latest`.
    pub(super) fn model(&self, asked: &str) -> Result<Model, Reply> {
        let full = format!("{asked}:latest");
        let found = self.models.iter().find(|model| model.name == asked || model.name == full);
        found.cloned().ok_or_else(|| refusal(404, &format!("model '{asked}' not found")))
    }

    /// Answers a chat request; says which prompt the reply completes when all of it is sent.
    pub(super) fn chat(&mut self, request: &Value) -> Result<(Reply, Option<u64>), Reply> {
        let model = self.model(request["model"].as_str().unwrap_or_default())?;
        if take_one(&mut self.busy_next) {
            return Err(refusal(503, BUSY));
        }
        if take_one(&mut self.drop_next) {
            return Err(Reply::dropped());
        }
        let call = Call::parse(request, &model.digest);
        let num_ctx = call.num_ctx.unwrap_or(4096).min(self.context_length);
        let seen = self.read_prompt(&call, num_ctx)?;
        self.load(model, num_ctx);
        self.begin(&call);
        let answer = call.answer(!self.ignores_format, num_ctx - seen);
        let (reply, whole) = self.reply(&call, &answer, seen);
        let held = take_one(&mut self.hang_next) || self.holding;
        let reply = if held { reply.held_by(self.gate.clone()) } else { reply };
        Ok((reply, whole.then_some(call.identity)))
    }

    /// The whole answer of a prompt was sent.
    pub(super) fn answered(&mut self, identity: u64) {
        self.calls += 1;
        let place = self.places.get(&identity).copied();
        if let Some(prompt) = place.and_then(|place| self.prompts.get_mut(place)) {
            prompt.answered += 1;
            prompt.sent_at.push(Instant::now());
        }
    }

    /// How many tokens of the prompt the model sees.
    fn read_prompt(&mut self, call: &Call, num_ctx: u64) -> Result<u64, Reply> {
        let asked = call.prompt_tokens();
        if asked < num_ctx {
            return Ok(asked);
        }
        if !call.truncate {
            let error = format!(
                "request ({asked} tokens) exceeds the available context size ({num_ctx} tokens), \
                 try increasing it"
            );
            return Err(refusal(400, &error));
        }
        self.truncated += 1;
        Ok(num_ctx - (num_ctx.saturating_sub(KEPT_BY_A_CUT) / 2).max(1))
    }

    fn load(&mut self, model: Model, num_ctx: u64) {
        let wanted = Some((model, num_ctx));
        if self.loaded != wanted {
            self.loaded = wanted;
            self.loads += 1;
        }
    }

    fn begin(&mut self, call: &Call) {
        self.started += 1;
        let now = Instant::now();
        let place = *self.places.entry(call.identity).or_insert(self.prompts.len());
        if let Some(known) = self.prompts.get_mut(place) {
            known.started += 1;
            known.started_at.push(now);
            return;
        }
        let text = call.prompt.clone();
        let (started_at, sent_at) = (vec![now], Vec::new());
        self.prompts.push(Prompt { text, started: 1, answered: 0, started_at, sent_at });
    }

    /// The reply, and whether it is a whole answer.
    fn reply(&mut self, call: &Call, answer: &Answer, seen: u64) -> (Reply, bool) {
        let line = |content: &str, done: bool| {
            json!({
                "model": call.model,
                "created_at": NOT_LONG_AGO,
                "message": { "role": "assistant", "content": content },
                "done": done,
            })
        };
        let closing = |content: &str| {
            let mut last = line(content, true);
            last["done_reason"] = answer.done_reason.into();
            last["prompt_eval_count"] = seen.into();
            last["eval_count"] = answer.tokens.into();
            for duration in ["total", "load", "prompt_eval", "eval"] {
                last[format!("{duration}_duration")] = 1_000_000.into();
            }
            last
        };
        if !call.stream {
            return (full(200, &closing(&answer.text)), true);
        }
        let mut lines: Vec<Value> =
            answer.text.split_inclusive(' ').map(|part| line(part, false)).collect();
        lines.push(closing(""));
        let (pieces, whole) = self.stream(&lines);
        (Reply::new(200).header("content-type", "application/x-ndjson").pieces(pieces), whole)
    }

    /// The pieces in which the lines go out; false when something breaks the stream.
    fn stream(&mut self, lines: &[Value]) -> (Vec<Piece>, bool) {
        let chunk = self.chunk_bytes;
        let Some((after, how)) = self.break_next.take() else {
            return (cut(lines, chunk), true);
        };
        // The last line is the one that says `done`: no break comes behind it.
        let (before, rest) = lines.split_at(after.min(lines.len().saturating_sub(1)));
        let mut pieces = cut(before, chunk);
        match how {
            Break::End => {}
            Break::Tear => pieces.push(Piece::Tear),
            Break::Error => {
                let error = json!({ "error": "an error was encountered while running the model" });
                pieces.extend(cut(&[error], chunk));
            }
            Break::Stall => {
                pieces.push(Piece::Wait(self.gate.clone()));
                pieces.extend(cut(rest, chunk));
                return (pieces, true);
            }
        }
        (pieces, false)
    }
}

/// A reply as Ollama words its errors.
pub(super) fn refusal(status: u16, error: &str) -> Reply {
    full(status, &json!({ "error": error }))
}

/// A reply of one JSON value.
pub(super) fn full(status: u16, body: &Value) -> Reply {
    Reply::full(status, "application/json; charset=utf-8", body.to_string())
}

/// One piece per line, or pieces of so many bytes without regard to lines.
fn cut(lines: &[Value], chunk_bytes: Option<usize>) -> Vec<Piece> {
    let lines = lines.iter().map(|line| format!("{line}\n").into_bytes());
    match chunk_bytes {
        None => lines.map(|line| Piece::Bytes(line.into())).collect(),
        Some(n) => {
            let bytes: Vec<u8> = lines.flatten().collect();
            bytes.chunks(n).map(|chunk| Piece::Bytes(Bytes::copy_from_slice(chunk))).collect()
        }
    }
}

fn take_one(left: &mut usize) -> bool {
    let some = *left > 0;
    *left -= usize::from(some);
    some
}
