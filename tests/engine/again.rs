//! Things that come once more: after another chain, after a failure in passing, over the limit.

use super::bench::{Bench, ends, soon};
use super::parts::{LineFile, NOTES, Note, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::ledger::ParkedFilter;
use tidemill_pipeline::run::Stop;
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::{Error, Job, Pipeline};

#[tokio::test]
async fn rows_that_another_chain_staged_are_not_published() {
    let (bench, halts) = (Bench::new(), Arc::new(AtomicBool::new(true)));
    let notes = || Notes::of([("a", "1"), ("b", "2"), ("c", "3")]);
    let halt = || {
        let halts = halts.clone();
        move |note: Note| {
            let halts = halts.load(SeqCst) && note.key == "c";
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        }
    };
    bench.run(Pipeline::named("chain").read(notes()).store(table()).map(halt())).await.unwrap_err();
    halts.store(false, SeqCst);
    let fewer = Pipeline::named("chain").read(notes()).filter(|note| note.key != "a");
    let report = bench.run(fewer.store(table()).map(halt())).await.unwrap();
    assert!(report.resumed);
    assert_eq!(bench.rows(NOTES), ["b|2", "c|3"]);
}

/// Fails in passing while the site is down; each item is saved and stored.
fn fetch(down: &Arc<AtomicBool>, seen: &Seen) -> Job {
    let down = Arc::clone(down);
    let fetch = Work::doing("fetch", seen, move |note, _| {
        let down = down.load(SeqCst);
        async move {
            if down { Err(Error::park("503").because("http_503").passing()) } else { Ok(note) }
        }
    });
    let job = Pipeline::named("fetch").read(Notes::of([("a", "1")])).then(fetch);
    Job::from(job.save(LineFile).store(table()))
}

#[tokio::test]
async fn what_failed_in_passing_and_is_retried_goes_through_once() {
    let (bench, seen, down) = (Bench::new(), Seen::default(), Arc::new(AtomicBool::new(true)));
    bench.run(fetch(&down, &seen)).await.unwrap();
    let all = Order::RetryParked(ParkedFilter::default());
    bench.home().carry_out(all).await.unwrap();
    down.store(false, SeqCst);
    let report = bench.run(fetch(&down, &seen)).await.unwrap();
    assert_eq!((report.carried, ends(&report), report.repeated_keys), (1, [1, 0, 0, 0], 0));
    assert_eq!(seen.sorted(), ["a", "a"], "once in vain and once well");
}

#[tokio::test]
async fn what_failed_in_passing_comes_again_by_itself_too() {
    let (bench, seen, down) = (Bench::new(), Seen::default(), Arc::new(AtomicBool::new(true)));
    assert_eq!(ends(&bench.run(fetch(&down, &seen)).await.unwrap()), [0, 0, 0, 1]);
    down.store(false, SeqCst);
    assert_eq!(ends(&bench.run(fetch(&down, &seen)).await.unwrap()), [1, 0, 0, 0]);
}

#[tokio::test]
async fn newer_content_of_what_waits_over_the_limit_is_not_lost() {
    let bench = Bench::new();
    let run = |notes: Vec<(&'static str, &'static str)>| {
        bench.run(Pipeline::named("limit").read(Notes::of(notes)).store(table()).limit(1))
    };
    run(vec![("a", "1"), ("b", "1"), ("c", "1")]).await.unwrap();
    run(vec![("c", "2")]).await.unwrap(); // it is said only once
    for _ in 0..3 {
        run(vec![]).await.unwrap();
    }
    assert_eq!(bench.rows(NOTES), ["a|1", "b|1", "c|2"]);
}

#[tokio::test]
async fn a_stage_may_be_named_as_if_it_were_a_source() {
    let bench = Bench::new();
    let run = |notes: Vec<(&'static str, &'static str)>| {
        let work = Work::doing("read pdf", &Seen::default(), |note: Note, _| async move {
            if note.key == "a" { Err(Error::park("bad")) } else { Ok(note) }
        });
        bench.run(Pipeline::named("pdf").read(Notes::of(notes)).then(work).store(table()))
    };
    run(vec![("a", "1")]).await.unwrap();
    run(vec![("a", "1"), ("b", "2")]).await.unwrap();
    assert_eq!(bench.parked().len(), 1);
}

#[tokio::test]
async fn what_was_dropped_and_fails_for_the_same_reason_is_not_told_again() {
    let (bench, seen, down) = (Bench::new(), Seen::default(), Arc::new(AtomicBool::new(true)));
    bench.run(fetch(&down, &seen)).await.unwrap();
    bench.home().carry_out(Order::DropParked(ParkedFilter::default())).await.unwrap();
    assert_eq!(ends(&bench.run(fetch(&down, &seen)).await.unwrap()), [0, 1, 0, 0]);
    assert!(bench.parked().is_empty());
    down.store(false, SeqCst);
    assert_eq!(ends(&bench.run(fetch(&down, &seen)).await.unwrap()), [1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_share_a_thing_do_not_wait_for_each_other_for_ever() {
    let bench = Bench::new();
    let using = |name| {
        Work::doing(name, &Seen::default(), |note, _| async move {
            tokio::task::yield_now().await;
            Ok(note)
        })
    };
    let keys: Vec<String> = (0..1500).map(|n| n.to_string()).collect();
    let source = Notes::of(keys.iter().map(|key| (key.as_str(), "tide")));
    let job = Pipeline::named("share").read(source).then(using("one")).workers(8).within("gpu", 1);
    let job = job.then(using("two")).workers(1).within("gpu", 1);
    let report = soon(bench.start(job, &Stop::default())).await.unwrap().unwrap();
    assert_eq!(ends(&report), [1500, 0, 0, 0]);
}
