//! A limit publishes that many items; the rest comes with the next runs.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{Error, Pipeline};

fn five() -> Notes {
    Notes::of([("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")])
}

#[tokio::test]
async fn a_limited_run_publishes_that_many_and_the_rest_comes_next() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let run = || {
        let work = Work::passing("work", &seen);
        bench.run(Pipeline::named("limit").read(five()).then(work).store(table()).limit(2))
    };
    for published in [2, 4, 5, 5] {
        let report = run().await.unwrap();
        assert_eq!(bench.rows(NOTES).len(), published, "{:?}", ends(&report));
    }
    assert_eq!(seen.sorted(), ["a", "b", "c", "d", "e"], "each once");
}

#[tokio::test]
async fn a_resumed_run_keeps_to_its_limit() {
    let (bench, halts) = (Bench::new(), Arc::new(AtomicBool::new(true)));
    let run = || {
        let halts = halts.clone();
        let mapped = Pipeline::named("limit").read(five()).map(move |note: Note| {
            let halts = halts.load(SeqCst) && note.key == "b";
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        });
        bench.run(mapped.store(table()).limit(2))
    };
    run().await.unwrap_err();
    halts.store(false, SeqCst);
    assert!(run().await.unwrap().resumed);
    assert_eq!(bench.rows(NOTES), ["a|1", "b|2"]);
    run().await.unwrap();
    assert_eq!(bench.rows(NOTES), ["a|1", "b|2", "c|3", "d|4"]);
}

#[tokio::test]
async fn what_is_over_the_limit_has_its_turn_also_when_no_content_is_known() {
    let (bench, seen) = (Bench::new(), Seen::default());
    for _ in 0..3 {
        let work = Work::passing("work", &seen);
        let notes = five().without_content();
        let pipeline = Pipeline::named("limit").read(notes).then(work).store(table()).limit(2);
        bench.run(pipeline).await.unwrap();
    }
    assert_eq!(bench.rows(NOTES).len(), 5, "none is passed over for ever");
}
