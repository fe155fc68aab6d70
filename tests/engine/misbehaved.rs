//! Stages and items that misbehave: each parks or halts with words that name item, stage and cure.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::{Error, Job, Pipeline};

#[tokio::test]
async fn an_item_that_is_a_body_is_parked_where_it_grows() {
    let bench = Bench::new();
    let grow = Work::doing("grow", &Seen::default(), |note, _| async move {
        let text = if note.key == "b" { "x".repeat(100 << 20) } else { note.text };
        Ok(Note { text, ..note })
    });
    let source = Notes::of([("a", "ebb"), ("b", "flow"), ("c", "slack")]);
    let report =
        bench.run(Pipeline::named("big").read(source).then(grow).store(table())).await.unwrap();
    assert_eq!(ends(&report), [2, 0, 0, 1]);
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.key.as_str(), parked.stage.as_str()), ("b", "grow"));
    assert_eq!(parked.reason, "item_too_large");
    assert!(parked.message.contains("100 MB"), "{}", parked.message);
    assert!(parked.help.unwrap().contains("let a reference travel"));
}

#[tokio::test]
async fn a_source_that_yields_bodies_has_them_parked_one_by_one() {
    let (bench, body) = (Bench::new(), "x".repeat(40 << 20));
    let source = Notes::of([("a", "ebb"), ("b", &body), ("c", "slack")]);
    let report = bench.run(Pipeline::named("big").read(source).store(table())).await.unwrap();
    assert_eq!((ends(&report), bench.rows(NOTES).len()), ([2, 0, 0, 1], 2));
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.key.as_str(), parked.stage.as_str()), ("b", "read notes"));
}

/// Has no JSON form when its key is `b`.
#[derive(Clone, Deserialize)]
struct Shy(Note);

impl Serialize for Shy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.key == "b" {
            return Err(serde::ser::Error::custom("it will not be written down"));
        }
        self.0.serialize(to)
    }
}

struct Hide;

impl tidemill_pipeline::Step for Hide {
    fn name(&self) -> &str {
        "hide"
    }
    fn version(&self) -> u32 {
        1
    }
    fn fingerprint(&self) -> tidemill_pipeline::Fingerprint {
        tidemill_pipeline::Fingerprint::nothing()
    }
}

impl tidemill_pipeline::Stage<Note> for Hide {
    type Out = Shy;

    async fn run(
        &self,
        note: Note,
        _cx: &tidemill_pipeline::Context,
    ) -> tidemill_pipeline::Result<Shy> {
        Ok(Shy(note))
    }
}

#[tokio::test]
async fn an_item_that_has_no_json_form_is_parked_with_its_stage() {
    let bench = Bench::new();
    let source = Notes::of([("a", "ebb"), ("b", "flow")]);
    let job =
        Pipeline::named("shy").read(source).then(Hide).map(|shy: Shy| async move { Ok(shy.0) });
    let report = bench.run(job.store(table())).await.unwrap();
    assert_eq!(ends(&report), [1, 0, 0, 1]);
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.key.as_str(), parked.stage.as_str()), ("b", "hide"));
    assert_eq!(parked.reason, "no_json");
    assert!(parked.message.contains("it will not be written down"), "{}", parked.message);
}

fn impatient() -> RunOptions {
    RunOptions { patience: Duration::from_millis(300), ..RunOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stage_that_never_returns_is_given_up_and_the_others_go_on() {
    let bench = Bench::new();
    // `a` waits for something that never comes; `b` never gives its thread back.
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    let hang = Work::doing("hang", &Seen::default(), move |note, _| {
        let end = Arc::clone(&end);
        async move {
            match note.key.as_str() {
                "a" => std::future::pending().await,
                "b" => {
                    while !end.load(SeqCst) {
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                    Ok(note)
                }
                _ => Ok(note),
            }
        }
    });
    let source = Notes::of([("a", "ebb"), ("b", "flow"), ("c", "slack")]);
    let job = Pipeline::named("hang").read(source).then(hang).store(table());
    let report = bench.run_with(job, impatient()).await.unwrap();
    over.store(true, SeqCst); // the test's own runtime could not end otherwise
    assert_eq!(ends(&report), [1, 0, 0, 2]);
    assert!(
        report.said.iter().any(|line| line.contains("hang has been at a")),
        "{:?}",
        report.said
    );
    for parked in bench.parked() {
        assert_eq!((parked.stage.as_str(), parked.reason.as_str()), ("hang", "stuck"));
        assert!(parked.help.unwrap().contains(".timeout("));
    }
}

#[tokio::test]
async fn work_that_shows_signs_of_life_may_take_its_time() {
    let bench = Bench::new();
    let slow = Work::doing("slow", &Seen::default(), |note, cx| async move {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(40)).await;
            cx.alive();
        }
        Ok(note)
    });
    let job = Pipeline::named("slow").read(Notes::of([("a", "ebb")])).then(slow).store(table());
    assert_eq!(ends(&bench.run_with(job, impatient()).await.unwrap()), [1, 0, 0, 0]);
}

#[tokio::test]
async fn a_step_out_of_time_is_tried_again_and_then_parked() {
    let (bench, tries) = (Bench::new(), Arc::new(AtomicU32::new(0)));
    let count = tries.clone();
    let job = Pipeline::named("late").read(Notes::of([("a", "ebb")])).map(move |note: Note| {
        count.fetch_add(1, SeqCst);
        async move {
            std::future::pending::<()>().await;
            Ok(note)
        }
    });
    let job = job.timeout(Duration::from_millis(20)).retry(2).store(table());
    let report = bench.run(job).await.unwrap();
    assert_eq!((ends(&report), tries.load(SeqCst)), ([0, 0, 0, 1], 2));
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.stage.as_str(), parked.reason.as_str()), ("map-1", "timeout"));
}

/// Thirty notes; those for which `fails` says so cannot be worked on.
fn failing(fails: fn(usize) -> bool) -> Job {
    let keys: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
    let notes = Notes::of(keys.iter().map(|key| (key.as_str(), "tide")));
    let job = Pipeline::named("alike").read(notes).map(move |note: Note| async move {
        if fails(note.key.parse().unwrap()) {
            return Err(Error::park("the site has changed")
                .because("no_headline")
                .help("look at it"));
        }
        Ok(note)
    });
    Job::from(job.store(table()))
}

#[tokio::test]
async fn a_run_whose_first_twenty_items_fail_alike_halts_with_their_message() {
    let bench = Bench::new();
    let error = bench.run(failing(|_| true)).await.unwrap_err();
    assert_eq!(error.reason(), "all_alike");
    for words in ["first 20 items", "map-1", "the site has changed"] {
        assert!(error.message().contains(words), "{error}");
    }
    assert!(error.guidance().unwrap().contains("--keep-going"), "{error}");
    assert!(bench.parked().is_empty(), "nothing was published");

    // Mended: the same run goes on, and nothing is missing.
    let report = bench.run(failing(|_| false)).await.unwrap();
    assert_eq!((report.resumed, ends(&report)), (true, [30, 0, 0, 0]));
}

#[tokio::test]
async fn one_that_gets_through_or_fails_otherwise_keeps_the_run_going() {
    let bench = Bench::new();
    assert_eq!(ends(&bench.run(failing(|n| n != 10)).await.unwrap()), [1, 0, 0, 29]);
    let bench = Bench::new();
    let options = RunOptions { keep_going: true, ..RunOptions::default() };
    let report = bench.run_with(failing(|_| true), options).await.unwrap();
    assert_eq!(ends(&report), [0, 0, 0, 30]);
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_named_and_harms_nothing() {
    let bench = Bench::new();
    let job = |text| Pipeline::named("clock").read(Notes::of([("a", text)])).store(table());
    let first = bench.run(job("ebb")).await.unwrap();
    bench.turn_clock(chrono::TimeDelta::days(-2)); // the run itself lets a day pass
    let second = bench.run(job("flow")).await.unwrap();
    assert!(
        second.said.iter().any(|line| line.contains("the clock is 1440 minutes behind")),
        "{:?}",
        second.said
    );
    assert_eq!(bench.rows(NOTES), ["a|flow"]);
    bench.turn_clock(chrono::TimeDelta::days(-1)); // the very same instant once more
    let third = bench.run(job("slack")).await.unwrap();
    assert_ne!(third.run, second.run);
    assert_ne!(first.run, second.run);
    assert_eq!(bench.rows(NOTES), ["a|slack"]);
}
