//! What two pipelines, two steps or two runs share does not get lost between them.

use super::bench::Bench;
use super::parts::{LineFile, NOTES, Note, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{Error, Pipeline};

#[tokio::test]
async fn a_publish_leaves_the_staged_rows_of_another_pipeline_alone() {
    let (bench, halts) = (Bench::new(), Arc::new(AtomicBool::new(true)));
    let broken = || {
        let halts = halts.clone();
        let notes = Notes::of([("a", "1"), ("b", "2")]);
        let stored = Pipeline::named("broken").read(notes).store(table());
        bench.run(stored.map(move |note: Note| {
            let halts = halts.load(SeqCst) && note.key == "b";
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        }))
    };
    broken().await.unwrap_err();
    let other = Pipeline::named("other").read(Notes::of([("c", "3")])).store(table());
    bench.run(other).await.unwrap();
    assert_eq!(bench.rows(NOTES), ["c|3"]);
    halts.store(false, SeqCst);
    assert!(broken().await.unwrap().resumed);
    assert_eq!(bench.rows(NOTES), ["a|1", "b|2", "c|3"]);
}

#[tokio::test]
async fn a_run_that_is_resumed_with_another_step_gives_every_item_the_new_answer() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let halts = Arc::new(AtomicBool::new(true));
    let run = |suffix: &'static str, name: &'static str| {
        let halts = halts.clone();
        let work = Work::doing(name, &seen, move |note, _| {
            let halts = halts.load(SeqCst) && note.key == "b";
            async move {
                if halts {
                    return Err(Error::halt("enough"));
                }
                Ok(Note { text: format!("{}{suffix}", note.text), ..note })
            }
        });
        let notes = Notes::of([("a", "1"), ("b", "2")]);
        bench.run(Pipeline::named("changed").read(notes).then(work).workers(1).store(table()))
    };
    run("-old", "old").await.unwrap_err();
    halts.store(false, SeqCst);
    assert!(run("-new", "new").await.unwrap().resumed);
    assert_eq!(bench.rows(NOTES), ["a|1-new", "b|2-new"]);
}

#[tokio::test]
async fn two_steps_may_not_fill_the_same_table_or_file() {
    let bench = Bench::new();
    let notes = Notes::of([("a", "1")]);
    let reads = notes.reads.clone();
    let tables = Pipeline::named("tables").read(notes.clone()).store(table()).store(table());
    assert_eq!(bench.run(tables).await.unwrap_err().reason(), "filled_twice");
    let files = Pipeline::named("files").read(notes).save(LineFile).save(LineFile);
    assert_eq!(bench.run(files).await.unwrap_err().reason(), "filled_twice");
    assert_eq!(reads.count(), 0, "refused before anything was read");
}
