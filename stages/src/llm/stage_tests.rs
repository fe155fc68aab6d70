//! Tests of the stage: long pages, cuts, waiting, choices, and no answer asked for twice.

use super::backend::{Answer, Request};
use super::fake::{Fake, Reply};
use super::{Ollama, Scripted, Summarise, Summary};
use crate::extract::Document;
use serde_json::json;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::testing::Lines;
use tidemill_pipeline::{Context, Error, Fingerprint, Job, Pipeline, Result, Stage, Step, Verdict};

/// The context of a real mill in a folder of its own, so that the journal is the real one.
struct Desk {
    cx: Context,
    _folder: tempfile::TempDir,
}

impl Deref for Desk {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.cx
    }
}

/// Hands out the context that the engine gives it.
struct Borrow(Arc<Mutex<Option<Context>>>);

impl Step for Borrow {
    fn name(&self) -> &str {
        "borrow"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<String> for Borrow {
    type Out = String;

    async fn run(&self, line: String, cx: &Context) -> Result<String> {
        *self.0.lock().unwrap() = Some(cx.clone());
        Ok(line)
    }
}

async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let home = Arc::new(Home::open(folder.path(), HomeOptions::owner()).unwrap());
    let slot = Arc::new(Mutex::new(None));
    let pipeline = Pipeline::named("desk").read(Lines::of(["x"])).then(Borrow(Arc::clone(&slot)));
    home.run(&Job::from(pipeline), RunOptions::default()).await.unwrap();
    let cx = slot.lock().unwrap().take().unwrap();
    Desk { cx, _folder: folder }
}

fn page(text: &str) -> Document {
    Document {
        url: "https://example.org/a".into(),
        title: "A page".into(),
        text: text.into(),
        markdown: text.into(),
        language: Some("en".into()),
        published: None,
        author: None,
        site: None,
        method: "article".into(),
        score: 1.0,
        words: 0,
    }
}

/// Some 40 bytes a sentence.
fn long(sentences: u32) -> String {
    (0..sentences).map(|n| format!("Sentence {n} tells of the tide and mill. ")).collect()
}

async fn sum_up(stage: &Summarise, text: &str, cx: &Context) -> Result<Summary> {
    stage.prepare(cx).await?;
    stage.run(page(text), cx).await
}

fn answer(request: &Request, text: &str, share: f64, reason: &str) -> Answer {
    let bytes = (request.system.len() + request.user.len()) as f64;
    Answer {
        text: text.into(),
        prompt_tokens: Some((bytes / 4.0 * share) as u64),
        output_tokens: Some(5),
        done_reason: reason.into(),
        model: String::new(),
        model_id: String::new(),
        ms: 1,
        load_ms: 0,
    }
}

#[tokio::test]
async fn a_short_page_is_its_own_summary_and_an_empty_one_is_parked() {
    let (cx, model) = (desk().await, Scripted::saying("no"));
    let stage = Summarise::with(model.clone()).in_words(10);
    let summary = sum_up(&stage, "The mill turns.", &cx).await.unwrap();
    assert_eq!(
        (summary.summary.as_str(), summary.method.as_str()),
        ("The mill turns.", "verbatim")
    );
    let empty = sum_up(&stage, " \u{200b}\n", &cx).await.unwrap_err();
    assert_eq!((empty.verdict(), empty.reason()), (Verdict::Park, "empty_document"));
    assert_eq!(model.calls(), 0);
}

#[tokio::test]
async fn a_page_that_fits_is_one_call_and_is_never_asked_twice() {
    let (cx, model) = (desk().await, Scripted::saying("<think>hm</think>A mill."));
    let stage = Summarise::with(model.clone()).in_words(20);
    let first = sum_up(&stage, &long(50), &cx).await.unwrap();
    let again = sum_up(&stage, &long(50), &cx).await.unwrap();
    assert_eq!(first, again);
    assert_eq!((first.summary.as_str(), first.calls, model.calls()), ("A mill.", 1, 1));
    assert_eq!(first.model_id.as_deref(), Some("scripted-1"));
}

#[tokio::test]
async fn a_long_page_is_mapped_and_merged_and_resumes_where_it_broke() {
    let (cx, asked) = (desk().await, AtomicU64::new(0));
    let model = Scripted::answering(move |request| {
        // The fifth question fails, once: the run is killed there and resumed.
        if asked.fetch_add(1, Ordering::SeqCst) == 4 {
            return Err(Error::retry("broke").because("model_dropped"));
        }
        let merge = request.system.contains("notes on the pieces");
        Ok(if merge { "merged".into() } else { format!("note of {}", request.user.len()) })
    })
    .context(4096);
    let text = long(1500);
    let stage = Summarise::with(model.clone()).in_words(40);
    assert_eq!(sum_up(&stage, &text, &cx).await.unwrap_err().reason(), "model_dropped");
    let resumed = Summarise::with(model.clone()).in_words(40);
    let summary = sum_up(&resumed, &text, &cx).await.unwrap();
    assert_eq!(summary.summary, "merged");
    assert!(summary.calls > 5, "{}", summary.calls);
    assert_eq!(model.calls(), u64::from(summary.calls) + 1, "only the broken call is repeated");
}

#[tokio::test]
async fn a_cut_prompt_is_asked_again_in_smaller_pieces() {
    // A server that takes 1500 tokens whatever it is asked, and says nothing about it.
    let model = Scripted::with(|request| {
        let tokens = (request.system.len() + request.user.len()) / 4;
        let seen = if tokens > 1500 { 752 } else { tokens };
        Ok(answer(request, "so", seen as f64 / tokens as f64, "stop"))
    });
    let summary = sum_up(&Summarise::with(model), &long(400), &desk().await.cx).await.unwrap();
    assert!(summary.calls > 2, "{summary:?}");
}

#[tokio::test]
async fn a_refused_prompt_is_asked_again_in_smaller_pieces() {
    // A tokenizer of a token a byte.
    let model = Scripted::with(|request| {
        let tokens = request.system.len() + request.user.len();
        if tokens + request.options.num_predict as usize > request.options.num_ctx as usize {
            return Err(Error::park("too long").because("context_overflow"));
        }
        Ok(answer(request, "so", 4.0, "stop"))
    })
    .context(8192);
    let summary = sum_up(&Summarise::with(model), &long(400), &desk().await.cx).await.unwrap();
    assert!(summary.calls > 2, "{summary:?}");
}

#[tokio::test]
async fn an_answer_without_an_end_gets_more_room_then_smaller_pieces_then_is_parked() {
    let cx = desk().await;
    let more_room = Scripted::with(|request| {
        let reason = if request.options.num_predict < 600 { "length" } else { "stop" };
        Ok(answer(request, "so", 1.0, reason))
    });
    let summary = sum_up(&Summarise::with(more_room), &long(50), &cx).await.unwrap();
    assert_eq!(summary.calls, 2);
    let endless = Scripted::with(|request| Ok(answer(request, "and", 1.0, "length"))).id("endless");
    let error = sum_up(&Summarise::with(endless), &long(50), &cx).await.unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Park, "answer_cut"));
    let silent = Scripted::saying("<think>hm").id("silent");
    let error = sum_up(&Summarise::with(silent.clone()), &long(50), &cx).await.unwrap_err();
    assert_eq!((error.reason(), silent.calls()), ("empty_answer", 2));
}

#[tokio::test]
async fn a_busy_server_is_waited_for() {
    let (cx, fake) = (desk().await, Fake::start().await);
    for _ in 0..3 {
        fake.will(Reply::Status(503, "retry-after: 0\r\n", json!({"error": "server busy"})));
    }
    fake.will(Reply::says("The mill turns.", 800, "stop"));
    let stage = Summarise::with(Ollama::model("tiny").at(&fake.address));
    let summary = sum_up(&stage, &long(60), &cx).await.unwrap();
    assert_eq!((summary.summary.as_str(), summary.method.as_str()), ("The mill turns.", "model"));
    assert_eq!((summary.model_id.as_deref(), summary.calls), (Some("d1"), 1));
    assert_eq!(fake.chats().len(), 4);
}

#[tokio::test]
async fn a_named_model_that_is_away_makes_items_wait_under_the_same_fingerprint() {
    let (cx, fake) = (desk().await, Fake::start().await);
    let there = Summarise::with(Ollama::model("tiny").at(&fake.address));
    let print = there.prepare(&cx).await.unwrap();
    let away = Summarise::with(Ollama::model("tiny").at("127.0.0.1:1"));
    assert_eq!(away.prepare(&cx).await.unwrap(), print, "the id is remembered");
    let error = away.run(page(&long(60)), &cx).await.unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Wait, "model_away"));
    let other = Summarise::with(Ollama::model("other").at("127.0.0.1:1"));
    assert_ne!(other.prepare(&cx).await.unwrap(), print);
}

#[tokio::test]
async fn auto_never_leaves_a_model_that_it_once_used() {
    let cx = desk().await;
    let chosen = r#"{"kind":"ollama","url":"http://127.0.0.1:1","model":"gone:7b","id":"d9"}"#;
    cx.choose("summarise", chosen).await.unwrap();
    let stage = Summarise::auto();
    // A developer's own Ollama may answer here; it does not have this model.
    match stage.prepare(&cx).await {
        Ok(_) => {
            let error = stage.run(page(&long(60)), &cx).await.unwrap_err();
            assert_eq!((error.verdict(), error.reason()), (Verdict::Wait, "model_away"));
        }
        Err(error) => assert_eq!(error.reason(), "model_missing"),
    }
    assert_eq!(cx.choice("summarise").await.unwrap().as_deref(), Some(chosen));
}

#[tokio::test]
async fn what_changes_the_answer_changes_the_fingerprint() {
    let cx = desk().await;
    let print = async |stage: Summarise| stage.prepare(&cx).await.unwrap();
    let model = |id: &str| Summarise::with(Scripted::saying("x").id(id));
    assert_eq!(print(model("a")).await, print(model("a")).await);
    assert_ne!(print(model("a")).await, print(model("b")).await);
    assert_ne!(print(model("a")).await, print(model("a").in_words(9)).await);
    assert_ne!(print(model("a")).await, print(Summarise::extractive()).await);
    let stage = Summarise::extractive();
    let other = Document { url: "https://example.org/b".into(), score: 0.5, ..page("text") };
    assert_eq!(stage.input(&page("text")), stage.input(&other));
    assert_ne!(stage.input(&page("text")), stage.input(&page("other")));
}
