//! Tests of the fake model server.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};

use super::super::fake_ollama::{FakeOllama, TINY};
use super::{Answer, ask, get, is_refused};

fn request(user: &str) -> Value {
    json!({
        "model": TINY,
        "messages": [
            { "role": "system", "content": "Summarise." },
            { "role": "user", "content": user },
        ],
        "options": { "num_ctx": 1024 },
    })
}

fn post(model: &FakeOllama, request: &Value) -> Option<Answer> {
    ask(&format!("{}/api/chat", model.url()), "POST", &[], &request.to_string())
}

fn chat(model: &FakeOllama, request: &Value) -> Answer {
    post(model, request).unwrap()
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The text of a stream, and its last line.
fn said(answer: &Answer) -> (String, Value) {
    let mut lines = lines(answer);
    let words = lines.iter().filter_map(|line| line["message"]["content"].as_str());
    (words.collect(), lines.pop().unwrap())
}

#[test]
fn it_says_what_it_is() {
    let model = FakeOllama::serving(&[TINY, "big:7b"]);
    model.context_length(8192);
    model.capabilities(&["completion", "thinking"]);
    let read = |path: &str| -> Value {
        serde_json::from_slice(&get(&format!("{}{path}", model.url())).body).unwrap()
    };
    assert!(read("/api/version")["version"].is_string());
    let tags = read("/api/tags");
    assert_eq!(
        (&tags["models"][0]["name"], &tags["models"][1]["name"]),
        (&json!(TINY), &json!("big:7b"))
    );
    assert_eq!(tags["models"][0]["digest"], model.digest());
    assert_eq!(model.digest().len(), 64);
    assert_eq!(read("/api/ps")["models"], json!([]));
    chat(&model, &request("Hello"));
    assert_eq!(read("/api/ps")["models"][0]["context_length"], 1024);
    let show = |name: &str| {
        let asked = json!({ "model": name }).to_string();
        ask(&format!("{}/api/show", model.url()), "POST", &[], &asked).unwrap()
    };
    let shown: Value = serde_json::from_slice(&show("tiny").body).unwrap();
    assert_eq!(shown["model_info"]["llama.context_length"], 8192);
    assert_eq!(shown["capabilities"], json!(["completion", "thinking"]));
    assert_eq!(show("absent").status, 404);
    assert_eq!(get(&format!("{}/", model.url())).text(), "Ollama is running");
    assert_eq!(model.hits("/api/show"), 2);
    assert_eq!(model.requests().len(), 8);
}

#[test]
fn equal_requests_get_equal_answers_and_are_counted() {
    let model = FakeOllama::start();
    let page = request("Text:\n<<DATA 1f>>\nThe café opens at nine. And so on.\n<<END 1f>>");
    let (first, last) = said(&chat(&model, &page));
    assert!(first.starts_with("Summary ") && first.contains(": The café opens"), "{first}");
    assert!(!first.contains("<<"));
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert_eq!(last["prompt_eval_count"], "system: Summarise.\nuser: \n".len().div_ceil(4) + 16);
    assert!(model.repeated().is_empty());
    assert_eq!(said(&chat(&model, &page)).0, first);
    let mut other = page.clone();
    other["options"]["seed"] = json!(2);
    other["stream"] = json!(false);
    let whole: Value = serde_json::from_slice(&chat(&model, &other).body).unwrap();
    assert_ne!(whole["message"]["content"], json!(first));
    let counts = |p: &super::super::fake_ollama::Prompt| (p.started, p.answered);
    assert_eq!(model.prompts().iter().map(counts).collect::<Vec<_>>(), [(2, 2), (1, 1)]);
    assert_eq!(model.repeated().len(), 1);
    assert!(model.repeated()[0].text.contains("user: Text:"));

    model.model_digest(&"ab".repeat(32));
    assert_ne!(said(&chat(&model, &page)).0, first, "another model says something else");
    assert_eq!((model.calls(), model.loads(), model.max_parallel()), (4, 2, 1));
}

#[test]
fn cuts_anywhere_lose_nothing() {
    let page = request("Übermäßig schöne Straßen führen über Brücken nach Öland.");
    let whole = chat(&FakeOllama::start(), &page).body;
    for n in [1, 7, 1000] {
        let model = FakeOllama::start();
        model.chunk_bytes(n);
        assert_eq!(chat(&model, &page).body, whole, "in pieces of {n} bytes");
    }
}

#[test]
fn streams_break_as_ordered_and_only_once() {
    let model = FakeOllama::start();
    let page = request("One two three four five six.");
    model.stream_error_after(2);
    let answer = chat(&model, &page);
    assert_eq!((answer.status, lines(&answer).len()), (200, 3));
    assert!(lines(&answer)[2]["error"].is_string());
    model.tear_after(2);
    let answer = chat(&model, &page);
    assert_eq!((lines(&answer).len(), answer.complete), (2, false));
    model.end_after(2);
    let answer = chat(&model, &page);
    assert_eq!((lines(&answer).len(), answer.complete), (2, true));
    model.busy_next(1);
    assert_eq!(chat(&model, &page).status, 503);
    model.drop_next(1);
    assert_eq!(post(&model, &page), None);
    assert_eq!((model.started(), model.calls()), (3, 0));
    assert_eq!(said(&chat(&model, &page)).1["done"], json!(true));
    assert_eq!((model.started(), model.calls()), (4, 1));
}

#[test]
fn too_long_a_prompt_is_refused_or_silently_cut() {
    let model = FakeOllama::start();
    let mut long = request(&"word ".repeat(2000));
    let last = said(&chat(&model, &long)).1;
    assert_eq!((last["prompt_eval_count"].as_u64(), model.truncated()), (Some(515), 1));
    long["truncate"] = json!(false);
    let refused = chat(&model, &long);
    assert_eq!(refused.status, 400);
    let error = "(2507 tokens) exceeds the available context size (1024 tokens)";
    assert!(refused.text().contains(error), "{}", refused.text());
    assert_eq!((model.truncated(), model.calls()), (1, 1));
    let mut short = request("One two three four five six seven eight.");
    short["options"]["num_predict"] = json!(3);
    let (text, last) = said(&chat(&model, &short));
    assert_eq!((text.len(), &last["done_reason"]), (12, &json!("length")));
}

#[test]
fn a_schema_is_kept_unless_it_is_dropped_without_a_word() {
    let model = FakeOllama::start();
    let mut page = request("One two three.");
    page["format"] = json!({ "type": "object", "properties": {
        "nonce": { "const": "7f3a" }, "kind": { "enum": ["a", "b"] },
        "title": { "type": "string", "maxLength": 7 },
        "tags": { "type": "array", "items": { "type": "string" } },
        "stars": { "type": "integer", "minimum": 3 }, "good": { "type": "boolean" },
    }});
    let kept: Value = serde_json::from_str(&said(&chat(&model, &page)).0).unwrap();
    assert_eq!(
        (&kept["nonce"], &kept["kind"], &kept["stars"]),
        (&json!("7f3a"), &json!("a"), &json!(3))
    );
    assert_eq!((&kept["title"], &kept["good"]), (&json!("Summary"), &json!(true)));
    assert_eq!(kept["tags"].as_array().unwrap().len(), 1);
    model.ignore_format(true);
    assert!(said(&chat(&model, &page)).0.starts_with("Summary "));
}

#[test]
fn held_calls_wait_for_their_release() {
    let model = FakeOllama::start();
    model.hold();
    thread::scope(|scope| {
        let asked = ["a", "b", "c"].map(|user| scope.spawn(|| chat(&model, &request(user)).status));
        model.wait_for_started(3);
        assert_eq!((model.calls(), model.max_parallel()), (0, 3));
        model.release(2);
        model.wait_for_calls(2);
        assert_eq!(model.calls(), 2);
        model.release_all();
        assert_eq!(asked.map(|thread| thread.join().unwrap()), [200; 3]);
        assert_eq!(model.calls(), 3);

        model.hang_next(1);
        model.stall_after(1);
        let hung = scope.spawn(|| chat(&model, &request("d")));
        model.wait_for_started(4);
        // Once for the head that hangs, once for the stream that stalls.
        model.release(2);
        assert_eq!(said(&hung.join().unwrap()).1["done"], json!(true));
    });
    assert_eq!(model.calls(), 4);
}

#[test]
fn a_model_that_was_away_comes_back_and_remembers() {
    let model = FakeOllama::start();
    chat(&model, &request("a"));
    model.hold();
    thread::scope(|scope| {
        let cut_off = scope.spawn(|| post(&model, &request("b")));
        model.wait_for_started(2);
        model.go_away();
        assert_eq!(cut_off.join().unwrap(), None);
    });
    assert!(is_refused(&model.url()));
    model.come_back();
    model.release_all();
    assert_eq!(chat(&model, &request("b")).status, 200);
    assert_eq!((model.started(), model.calls(), model.repeated().len()), (3, 2, 0));
}

#[test]
fn what_a_dead_client_had_sent_is_counted_once_it_has_settled() {
    let model = FakeOllama::start();
    chat(&model, &request("a"));
    let body = request("b").to_string();
    let host = model.url().replace("http://", "");
    for _ in 0..20 {
        let mut dying = TcpStream::connect(&host).unwrap();
        let length = body.len();
        write!(
            dying,
            "POST /api/chat HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    }
    model.settle();
    let prompts = model.prompts();
    let counts = |p: &super::super::fake_ollama::Prompt| (p.started, p.started_at.len());
    assert_eq!(prompts.iter().map(counts).collect::<Vec<_>>(), [(1, 1), (20, 20)]);
    assert_eq!((prompts[0].answered, prompts[0].sent_at.len()), (1, 1));
    assert!(prompts[0].started_at[0] <= prompts[0].sent_at[0]);
    assert!(prompts[0].sent_at[0] <= prompts[1].started_at[0]);
}
