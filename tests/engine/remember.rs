//! An answer that was received is never asked for again; an error is.

use super::bench::{Bench, soon};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tidemill_pipeline::run::Stop;
use tidemill_pipeline::{Context, Error, Fingerprint, Job, Pipeline, Result};

/// Asks for an answer by the note's text; `calls` sees each call that is really made.
async fn ask(note: &Note, cx: &Context, calls: &Seen) -> Result<Note> {
    let answer = cx.remember(Fingerprint::of(&note.text), async {
        calls.add(&note.text);
        Ok(note.text.to_uppercase())
    });
    Ok(Note::new(&note.key, &answer.await?))
}

fn asking(source: Notes, calls: &Seen) -> Job {
    let calls = calls.clone();
    let ask = Work::doing("ask", &Seen::default(), move |note, cx| {
        let calls = calls.clone();
        async move { ask(&note, &cx, &calls).await }
    });
    Job::from(Pipeline::named("ask").read(source).then(ask).store(table()))
}

#[tokio::test]
async fn an_answer_is_kept_across_runs() {
    let (bench, calls) = (Bench::new(), Seen::default());
    let source = || Notes::of([("a", "ebb"), ("b", "flow")]).without_content();
    let first = bench.run(asking(source(), &calls)).await.unwrap();
    assert_eq!((first.calls_made, first.calls_remembered), (2, 0));
    let second = bench.run(asking(source(), &calls)).await.unwrap();
    assert_eq!((second.calls_made, second.calls_remembered), (0, 2));
    assert_eq!(calls.sorted(), ["ebb", "flow"]);
    assert_eq!(bench.rows(NOTES), ["a|EBB", "b|FLOW"]);
}

#[tokio::test]
async fn an_answer_is_kept_when_the_run_is_aborted_right_behind_it() {
    let (bench, calls, stop) = (Bench::new(), Seen::default(), Stop::default());
    let (counted, own) = (calls.clone(), stop.clone());
    let stage = Work::doing("ask", &Seen::default(), move |note, cx| {
        let (calls, stop) = (counted.clone(), own.clone());
        async move {
            ask(&note, &cx, &calls).await?;
            stop.abort();
            std::future::pending().await
        }
    });
    let job = Pipeline::named("ask").read(Notes::of([("a", "ebb")])).then(stage).store(table());
    let error = soon(bench.start(job, &stop)).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), "interrupted", "{error:?}");
    let source = Notes::of([("a", "ebb")]);
    let report = bench.run(asking(source, &calls)).await.unwrap();
    assert_eq!((report.calls_made, report.calls_remembered), (0, 1));
    assert_eq!(calls.sorted(), ["ebb"], "the answer was received before the abort");
    assert_eq!(bench.rows(NOTES), ["a|EBB"]);
}

#[tokio::test]
async fn an_error_is_not_remembered() {
    let (bench, tries) = (Bench::new(), Arc::new(AtomicU32::new(0)));
    let counted = tries.clone();
    let stage = Work::doing("ask", &Seen::default(), move |note, cx| {
        let tries = counted.clone();
        async move {
            let answer = cx.remember(Fingerprint::of(&note.key), async {
                match tries.fetch_add(1, SeqCst) {
                    0 => Err(Error::retry("the model stumbled")),
                    _ => Ok("answer".to_string()),
                }
            });
            Ok(Note::new(&note.key, &answer.await?))
        }
    });
    let job = Pipeline::named("ask").read(Notes::of([("a", "ebb")])).then(stage).store(table());
    let report = bench.run(job).await.unwrap();
    assert_eq!(tries.load(SeqCst), 2, "the error was not served again");
    assert_eq!(report.calls_made, 1);
    assert_eq!(bench.rows(NOTES), ["a|answer"]);
}
