//! A small Ollama on loopback for this folder's tests: it says what it is told to, cut anywhere.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What one chat request gets.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes with status 200, in pieces of so many bytes.
    Bytes(Vec<u8>, usize),
    /// A refusal, with a header line or none.
    Status(u16, &'static str, Value),
    /// The connection closes without a word.
    Drop,
}

impl Reply {
    /// A good answer in two parts.
    pub(super) fn says(text: &str, prompt_tokens: u64, done_reason: &str) -> Self {
        let half = (0..=text.len() / 2).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let (a, b) = text.split_at(half);
        let end = json!({"message": {"content": ""}, "done": true, "done_reason": done_reason,
            "prompt_eval_count": prompt_tokens, "eval_count": 7, "load_duration": 3_000_000});
        Self::lines(&[json!({"message": {"content": a}}), json!({"message": {"content": b}}), end])
    }

    pub(super) fn lines(lines: &[Value]) -> Self {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Self::Bytes(text.into_bytes(), usize::MAX)
    }
}

/// The server; stops with the test's runtime.
pub(super) struct Fake {
    pub(super) address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    replies: Mutex<VecDeque<Reply>>,
    chats: Mutex<Vec<Value>>,
    tags: Mutex<Vec<Value>>,
}

impl Fake {
    /// A server that has the model `tiny:latest` with a context of 8192 tokens.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State::default());
        state.tags.lock().unwrap().push(json!({"name": "tiny:latest", "digest": "d1"}));
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&serving)));
            }
        });
        Self { address, state }
    }

    pub(super) fn will(&self, reply: Reply) {
        self.state.replies.lock().unwrap().push_back(reply);
    }

    pub(super) fn has(&self, models: Vec<Value>) {
        *self.state.tags.lock().unwrap() = models;
    }

    /// The chat requests so far.
    pub(super) fn chats(&self) -> Vec<Value> {
        self.state.chats.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    let (path, body) = request(&mut stream).await?;
    let reply = match path.as_str() {
        "/api/tags" => ok(&json!({"models": *state.tags.lock().unwrap()})),
        "/api/ps" => ok(&json!({"models": []})),
        "/api/show" => ok(&json!({"model_info": {"llama.context_length": 8192},
            "capabilities": ["completion", "thinking"]})),
        _ => {
            state.chats.lock().unwrap().push(body);
            state.replies.lock().unwrap().pop_front()?
        }
    };
    // Without a length the answer ends where the connection does: a cut one looks like an end.
    let (head, bytes, step) = match reply {
        Reply::Drop => return None,
        Reply::Bytes(bytes, step) => ("200 OK\r\n".to_owned(), bytes, step),
        Reply::Status(code, header, body) => {
            (format!("{code} No\r\n{header}"), body.to_string().into_bytes(), usize::MAX)
        }
    };
    let head = format!("HTTP/1.1 {head}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    for piece in bytes.chunks(step.min(bytes.len()).max(1)) {
        stream.write_all(piece).await.ok()?;
        stream.flush().await.ok()?;
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.ok()
}

fn ok(value: &Value) -> Reply {
    Reply::Bytes(value.to_string().into_bytes(), usize::MAX)
}

async fn request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut seen = Vec::new();
    let head = loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.ok().filter(|&n| n > 0)?;
        seen.extend_from_slice(&buffer[..n]);
        if let Some(at) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
    let path = text.split_whitespace().nth(1)?.to_owned();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = seen.split_off(head);
    let mut rest = vec![0; length.unwrap_or(0_usize).saturating_sub(body.len())];
    stream.read_exact(&mut rest).await.ok()?;
    body.extend(rest);
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}
