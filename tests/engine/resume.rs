//! An unfinished run goes on where it was: what was remembered is not worked on again.

use super::bench::{Bench, open, soon};
use super::parts::{Gate, NOTES, Note, Notes, Seen, Work, table};
use chrono::{TimeZone, Utc};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::clock::ManualClock;
use tidemill_pipeline::run::{RunOptions, Stop};
use tidemill_pipeline::{Job, Pipeline, Result, ResultExt};
use tokio::sync::Semaphore;

const RUNS: &str = "SELECT state, attempt FROM tm_runs ORDER BY run_no";

/// Notes a, b, c through two stages; the second stops at c, once a and b are beyond it.
struct Chain {
    first: Seen,
    second: Seen,
    gate: Gate,
    /// Whether c is to be an error that halts.
    halts: Arc<AtomicBool>,
}

impl Chain {
    fn new() -> Self {
        let halts = Arc::new(AtomicBool::new(false));
        Self { first: Seen::default(), second: Seen::default(), gate: Gate::shut(), halts }
    }

    fn job(&self) -> Job {
        self.job_from(Notes::of([("a", "ebb"), ("b", "flow"), ("c", "slack")]))
    }

    fn job_from(&self, source: Notes) -> Job {
        let beyond = Arc::new(Semaphore::new(0));
        let (gate, halts, through) = (self.gate.clone(), self.halts.clone(), beyond.clone());
        let second = Work::doing("second", &self.second, move |note, _| {
            let (gate, halts, through) = (gate.clone(), halts.clone(), through.clone());
            async move { at_c(note, &gate, &halts, &through).await }
        });
        Job::from(
            Pipeline::named("resume")
                .read(source)
                .then(Work::passing("first", &self.first))
                .then(second)
                .map(move |note| {
                    beyond.add_permits(1);
                    async { Ok(note) }
                })
                .store(table()),
        )
    }
}

async fn at_c(note: Note, gate: &Gate, halts: &AtomicBool, through: &Semaphore) -> Result<Note> {
    if note.key != "c" {
        return Ok(note);
    }
    if halts.load(SeqCst) {
        let _others = through.acquire_many(2).await?;
        return Err(io::Error::other("the mill race is dry")).or_halt();
    }
    gate.pass().await;
    Ok(Note::new("c", "slack water"))
}

const ROWS: [&str; 3] = ["a|ebb", "b|flow", "c|slack water"];

#[tokio::test]
async fn an_aborted_run_is_resumed_by_the_next() {
    let (bench, chain, stop) = (Bench::new(), Chain::new(), Stop::default());
    let run = bench.start(chain.job(), &stop);
    chain.gate.reached().await;
    stop.abort();
    let error = soon(run).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), "interrupted", "{error:?}");
    assert!(bench.rows(NOTES).is_empty(), "an interrupted run publishes nothing");

    chain.gate.open();
    let report = bench.run(chain.job()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(bench.rows(NOTES), ROWS);
    assert_eq!(bench.rows(RUNS), ["finished|2"]);
    assert_eq!(chain.first.sorted(), ["a", "b", "c"], "the first stage was remembered");
    assert!(chain.second.count() > 3, "c was in hand and is worked on again");
}

#[tokio::test]
async fn a_run_whose_task_is_dropped_is_resumed_by_the_next() {
    let (bench, chain) = (Bench::new(), Chain::new());
    let run = bench.start(chain.job(), &Stop::default());
    chain.gate.reached().await;
    run.abort();
    assert!(soon(run).await.unwrap_err().is_cancelled());

    chain.gate.open();
    let report = bench.run(chain.job()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(bench.rows(NOTES), ROWS);
    assert_eq!(chain.first.sorted(), ["a", "b", "c"]);
}

/// The nearest to a killed process that one process can do: everything is dropped in its tracks.
#[test]
fn a_run_whose_runtime_is_dropped_is_resumed_by_another_owner() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Utc.with_ymd_and_hms(2026, 1, 1, 6, 0, 0).unwrap()));
    let chain = Chain::new();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let killed = runtime();
    killed.block_on(async {
        let (home, job) = (open(folder.path(), &clock).unwrap(), chain.job());
        tokio::spawn(async move { home.run(&job, RunOptions::default()).await });
        chain.gate.reached().await;
    });
    drop(killed);

    chain.gate.open();
    let home = open(folder.path(), &clock).unwrap();
    let report = runtime().block_on(home.run(&chain.job(), RunOptions::default())).unwrap();
    assert!(report.resumed);
    assert_eq!(super::bench::rows(home.ledger().path(), NOTES), ROWS);
    assert_eq!(chain.first.sorted(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_halted_run_is_resumed_and_repeats_only_what_halted() {
    let (bench, chain) = (Bench::new(), Chain::new());
    chain.halts.store(true, SeqCst);
    let error = bench.run(chain.job()).await.unwrap_err();
    assert!(error.message().contains("the mill race is dry"), "{error:?}");
    assert!(error.message().contains("second, item c"), "stage and item are named: {error:?}");
    assert_eq!(bench.rows(RUNS), ["halted|1"]);
    assert!(bench.rows(NOTES).is_empty(), "halt publishes nothing");

    chain.halts.store(false, SeqCst);
    chain.gate.open();
    let report = bench.run(chain.job()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(chain.first.sorted(), ["a", "b", "c"]);
    assert_eq!(chain.second.sorted(), ["a", "b", "c", "c"]);
    assert_eq!(bench.rows(NOTES), ROWS);
}

#[tokio::test]
async fn other_source_arguments_begin_a_new_run_and_give_the_old_one_up() {
    let (bench, chain) = (Bench::new(), Chain::new());
    chain.halts.store(true, SeqCst);
    bench.run(chain.job()).await.unwrap_err();
    let other = Notes::of([("a", "ebb"), ("d", "neap")]).argument(1);
    let report = bench.run(chain.job_from(other)).await.unwrap();
    assert!(!report.resumed);
    assert_eq!(bench.rows(RUNS), ["abandoned|1", "finished|1"]);
    assert_eq!(bench.rows(NOTES), ["a|ebb", "d|neap"]);
    assert_eq!(chain.first.sorted(), ["a", "a", "b", "c", "d"], "unpublished items come again");
    assert!(bench.rows("SELECT key FROM tm_items WHERE run_no = 1").is_empty());
}
