//! Bounds of a run and of its steps: time of day, shared things, tries; and what is said of them.

use super::bench::{Bench, Told, ends, soon};
use super::parts::{Gate, NOTES, Note, Notes, Seen, Work, table};
use chrono::TimeDelta;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::{Error, Job, Pipeline};
use tokio::sync::mpsc::unbounded_channel;

#[tokio::test]
async fn at_its_time_a_run_publishes_what_is_done_and_the_rest_waits() {
    let (bench, gate) = (Bench::new(), Gate::shut());
    let job = |gate: Option<Gate>| {
        let work = Work::doing("work", &Seen::default(), move |note, _| {
            let gate = gate.clone().filter(|_| note.key == "a");
            async move {
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                Ok(note)
            }
        });
        let source = Notes::of([("a", "1"), ("b", "2"), ("c", "3")]);
        let night = Pipeline::named("night").read(source).then(work).workers(1);
        night.then(Work::passing("more", &Seen::default())).workers(1).store(table()).until("08:00")
    };
    let (tell, mut told) = unbounded_channel();
    let options = RunOptions { progress: Arc::new(Told(tell)), ..RunOptions::default() };
    let first = job(Some(gate.clone()));
    let (report, ()) = tokio::join!(bench.run_with(first, options), async {
        gate.reached().await; // at 06:00
        bench.turn_clock(TimeDelta::hours(2));
        let line = soon(told.recv()).await.unwrap();
        assert!(line.starts_with("it is 08:00"), "{line}");
        gate.open();
    });
    let report = report.unwrap();
    assert_eq!(ends(&report), [0, 0, 3, 0], "what was in hand finished its step only");
    assert_eq!(report.reasons, [("until".to_string(), 3)]);

    let report = bench.run(job(None)).await.unwrap();
    assert_eq!((report.carried, ends(&report)), (3, [3, 0, 0, 0]));
    assert_eq!(bench.rows(NOTES), ["a|1", "b|2", "c|3"]);
}

#[tokio::test]
async fn a_time_of_day_that_is_none_is_refused_before_anything_is_read() {
    let (bench, source) = (Bench::new(), Notes::of([("a", "1")]));
    let reads = source.reads.clone();
    let error =
        bench.run(Pipeline::named("night").read(source).until("8 o'clock")).await.unwrap_err();
    assert_eq!((error.reason(), reads.count()), ("bad_time", 0));
    assert!(error.guidance().unwrap().contains("08:00"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn steps_that_share_a_thing_use_it_no_more_than_allowed() {
    let bench = Bench::new();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let using = |name| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Work::doing(name, &Seen::default(), move |note, _| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
                now.fetch_sub(1, SeqCst);
                Ok(note)
            }
        })
    };
    let keys: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let source = Notes::of(keys.iter().map(|key| (key.as_str(), "tide")));
    let job = Pipeline::named("share").read(source);
    let job = job.then(using("one")).workers(8).within("gpu", 2);
    let job = job.then(using("two")).workers(8).within("gpu", 2).store(table());
    assert_eq!(ends(&bench.run(job).await.unwrap()), [60, 0, 0, 0]);
    assert_eq!(most.load(SeqCst), 2, "both together, and never more");

    let job = Pipeline::named("share").read(Notes::of([("a", "1")]));
    let job = job.then(using("one")).within("gpu", 3).store(table());
    assert_eq!(bench.run(job).await.unwrap_err().reason(), "bad_limit");
}

#[tokio::test]
async fn a_step_tries_as_often_as_it_is_told_to() {
    for (tries, expected) in [(1, 1), (5, 5)] {
        let (bench, seen) = (Bench::new(), Seen::default());
        let never = Work::doing("never", &seen, |_, _| async {
            Err(Error::retry("no answer").after(Duration::ZERO))
        });
        let job = Pipeline::named("tries").read(Notes::of([("a", "1")])).then(never).retry(tries);
        assert_eq!(ends(&bench.run(job).await.unwrap()), [0, 0, 0, 1]);
        assert_eq!(seen.count(), expected);
    }
}

#[tokio::test]
async fn the_report_says_how_long_each_step_took_and_which_way_was_full() {
    let bench = Bench::new();
    let keys: Vec<String> = (0..600).map(|n| n.to_string()).collect();
    let source = Notes::of(keys.iter().map(|key| (key.as_str(), "tide")));
    let slow = |note: Note| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(note)
    };
    let quick = |note: Note| async move { Ok(note) };
    let job: Job = Pipeline::named("slow").read(source).map(quick).map(slow).store(table()).into();
    let report = bench.run(job).await.unwrap();
    let steps: Vec<_> = report.steps.iter().map(|step| (step.name.as_str(), step.items)).collect();
    assert_eq!(steps, [("notes", 0), ("map-1", 600), ("map-2", 600), ("table", 600)]);
    assert!(report.steps[2].p50_ms >= 1.0, "{:?}", report.steps);
    assert!(report.steps[1].full_ms > 50, "the way to the slow one was full: {:?}", report.steps);
    assert!(report.steps[2].full_ms < report.steps[1].full_ms, "{:?}", report.steps);
}
