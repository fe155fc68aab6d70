//! An item whose content is as it was: one observation, no stage runs, no row changes.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{Error, Fingerprint, Job, Pipeline};

const OBSERVED: &str = "SELECT run_no, key FROM tm_items WHERE state = 4 ORDER BY run_no, key";

fn job(source: Notes, seen: &Seen) -> Job {
    Job::from(Pipeline::named("same").read(source).then(Work::passing("work", seen)).store(table()))
}

#[tokio::test]
async fn unchanged_items_run_no_stage_and_changed_ones_do() {
    let (bench, seen) = (Bench::new(), Seen::default());
    bench.run(job(Notes::of([("a", "ebb"), ("b", "flow")]), &seen)).await.unwrap();
    let before = bench.rows("SELECT * FROM notes ORDER BY key");

    let same = bench.run(job(Notes::of([("a", "ebb"), ("b", "flow")]), &seen)).await.unwrap();
    assert_eq!((ends(&same), same.changed_rows), ([0, 2, 0, 0], 0));
    assert_eq!(seen.count(), 2, "no stage ran");
    assert_eq!(bench.rows("SELECT * FROM notes ORDER BY key"), before);
    assert_eq!(bench.rows(OBSERVED), ["2|a", "2|b"]);

    let changed = bench.run(job(Notes::of([("a", "ebb"), ("b", "slack")]), &seen)).await.unwrap();
    assert_eq!((ends(&changed), changed.changed_rows), ([1, 1, 0, 0], 1));
    assert_eq!(seen.sorted(), ["a", "b", "b"]);
    assert_eq!(bench.rows(OBSERVED), ["2|a", "2|b", "3|a"]);
    assert_eq!(bench.rows(NOTES), ["a|ebb", "b|slack"]);
}

#[tokio::test]
async fn a_stage_can_say_that_the_content_is_unchanged() {
    let (bench, looked, worked) = (Bench::new(), Seen::default(), Seen::default());
    let job = |text: &'static str| {
        let look = Work::doing("look", &looked, |note, cx| async move {
            cx.observe(Fingerprint::of(&note.text), None::<&()>).await?;
            Ok(note)
        });
        let source = Notes::of([("a", text)]).without_content();
        let looking = Pipeline::named("look").read(source).then(look);
        looking.then(Work::passing("work", &worked)).store(table())
    };
    bench.run(job("ebb")).await.unwrap();
    let same = bench.run(job("ebb")).await.unwrap();
    assert_eq!((ends(&same), same.changed_rows), ([0, 1, 0, 0], 0));
    assert_eq!((looked.count(), worked.count()), (2, 1), "nothing behind the look ran");
    assert_eq!(bench.rows(OBSERVED), ["2|a"]);
    let changed = bench.run(job("flow")).await.unwrap();
    assert_eq!((ends(&changed), changed.changed_rows), ([1, 0, 0, 0], 1));
    assert_eq!(bench.rows(NOTES), ["a|flow"]);
}

#[tokio::test]
async fn a_halted_run_does_not_count_as_having_seen() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let halts = Arc::new(AtomicBool::new(true));
    let job = |argument: u32| {
        let halts = halts.clone();
        let source = Notes::of([("a", "ebb")]).argument(argument);
        let working = Pipeline::named("halt").read(source).then(Work::passing("work", &seen));
        working.store(table()).map(move |note| {
            let halts = halts.load(SeqCst);
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        })
    };
    bench.run(job(1)).await.unwrap_err();
    halts.store(false, SeqCst);
    // Another argument: the halted run is given up, and its item must come again.
    let report = bench.run(job(2)).await.unwrap();
    assert_eq!(ends(&report), [1, 0, 0, 0]);
    assert_eq!(bench.rows(NOTES), ["a|ebb"]);
    assert_eq!(ends(&bench.run(job(2)).await.unwrap()), [0, 1, 0, 0]);
    assert_eq!(seen.count(), 2);
}
