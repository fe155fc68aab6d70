//! One chat request: what was asked, how long it is, and what the fake model says to it.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

/// What a chat request asks for.
pub(super) struct Call {
    pub(super) model: String,
    /// `role: content` of each message, a line each.
    pub(super) prompt: String,
    pub(super) stream: bool,
    pub(super) num_ctx: Option<u64>,
    pub(super) truncate: bool,
    /// Equal for requests that must give equal answers.
    pub(super) identity: u64,
    num_predict: Option<u64>,
    format: Option<Value>,
    user: String,
}

/// What the model said.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) done_reason: &'static str,
    pub(super) tokens: u64,
}

impl Call {
    pub(super) fn parse(request: &Value, digest: &str) -> Self {
        let messages = request["messages"].as_array().cloned().unwrap_or_default();
        let line = |m: &Value| format!("{}: {}\n", text(&m["role"]), text(&m["content"]));
        let prompt: String = messages.iter().map(line).collect();
        let user =
            messages.iter().rfind(|m| m["role"] == "user").map_or("", |m| text(&m["content"]));
        let options = &request["options"];
        let format = request.get("format").filter(|format| !format.is_null()).cloned();
        let mut hasher = DefaultHasher::new();
        let asked = [&request["messages"], options, &request["format"], &request["think"]];
        (digest, asked.map(Value::to_string)).hash(&mut hasher);
        Call {
            model: text(&request["model"]).to_owned(),
            stream: request["stream"].as_bool().unwrap_or(true),
            num_ctx: options["num_ctx"].as_u64().filter(|n| *n > 0),
            truncate: request["truncate"].as_bool().unwrap_or(true),
            identity: hasher.finish(),
            // Negative is Ollama's word for "no bound".
            num_predict: options["num_predict"].as_u64(),
            format,
            user: user.to_owned(),
            prompt,
        }
    }

    /// The length of the prompt: four bytes are a token.
    pub(super) fn prompt_tokens(&self) -> u64 {
        tokens(&self.prompt)
    }

    /// The same for the same request: a tag made of all of it, and the first words of the data.
    pub(super) fn answer(&self, honour_format: bool, room: u64) -> Answer {
        let tag = self.identity & 0xffff;
        let plain = format!("Summary {tag:04x}: {}", first_words(self.data(), 12));
        let text = match &self.format {
            Some(schema @ Value::Object(_)) if honour_format => {
                instance(schema, &plain).to_string()
            }
            Some(_) if honour_format => json!({ "answer": plain }).to_string(),
            _ => plain,
        };
        let bound = self.num_predict.unwrap_or(room).min(room);
        if tokens(&text) <= bound {
            return Answer { tokens: tokens(&text), done_reason: "stop", text };
        }
        let cut = text.floor_char_boundary(bound as usize * 4);
        Answer { text: text[..cut].to_owned(), done_reason: "length", tokens: bound }
    }

    /// What stands behind the first line `<<DATA …>>` of the user's message, or all of it.
    fn data(&self) -> &str {
        let fenced = self.user.split_once("<<DATA").and_then(|(_, rest)| rest.split_once('\n'));
        let data = fenced.map_or(self.user.as_str(), |(_, data)| data);
        data.split("<<END").next().unwrap_or(data)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn tokens(text: &str) -> u64 {
    text.len().div_ceil(4) as u64
}

fn first_words(text: &str, n: usize) -> String {
    text.split_whitespace().take(n).collect::<Vec<_>>().join(" ")
}

/// The simplest value that a JSON schema allows, with `words` where it wants a string.
fn instance(schema: &Value, words: &str) -> Value {
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let empty = Map::new();
            let fields = schema["properties"].as_object().unwrap_or(&empty);
            fields.iter().map(|(name, field)| (name.clone(), instance(field, words))).collect()
        }
        Some("array") => json!([instance(&schema["items"], words)]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => {
            let longest = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
            let longest = usize::try_from(longest).unwrap_or(usize::MAX);
            words.chars().take(longest).collect::<String>().into()
        }
    }
}
