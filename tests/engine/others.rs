//! Others get at the file, or take it away: clear words, nothing lost, and it goes on when mended.

use super::bench::{Bench, ends, open, soon};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use crate::support::mounted::Mounted;
use chrono::{TimeZone, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::clock::ManualClock;
use tidemill_pipeline::run::{RunOptions, Stop};
use tidemill_pipeline::{Error, Job, Pipeline};

fn job(seen: &Seen) -> Job {
    let source = Notes::of([("a", "1"), ("b", "2"), ("c", "3")]);
    Job::from(Pipeline::named("held").read(source).then(Work::passing("work", seen)).store(table()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_holds_the_database_is_named_and_the_next_run_goes_on() {
    let (bench, seen) = (Bench::new(), Seen::default());
    bench.run(Pipeline::named("held").read(Notes::of([])).store(table())).await.unwrap();
    let held = rusqlite::Connection::open(bench.home().ledger().path()).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = bench.run(job(&seen)).await.unwrap_err();
    assert_eq!(error.reason(), "ledger_busy", "{error}");
    assert!(error.to_string().contains("another program holds"), "{error}");
    held.execute_batch("ROLLBACK").unwrap();

    // In the same process: a mill that serves for years must get over this.
    let report = bench.run(job(&seen)).await.unwrap();
    assert_eq!(ends(&report), [3, 0, 0, 0]);
    assert_eq!(bench.rows(NOTES), ["a|1", "b|2", "c|3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_holds_the_database_for_a_moment_is_waited_for() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let held = rusqlite::Connection::open(bench.home().ledger().path()).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let running = bench.start(job(&seen), &Stop::default());
    std::thread::sleep(std::time::Duration::from_millis(300)); // well within its patience
    held.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ends(&soon(running).await.unwrap().unwrap()), [3, 0, 0, 0]);
}

#[tokio::test]
async fn a_disk_that_became_read_only_is_named_and_the_run_goes_on_when_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mill");
    let clock = Arc::new(ManualClock::at(Utc.with_ymd_and_hms(2026, 1, 1, 6, 0, 0).unwrap()));
    let halts = Arc::new(AtomicBool::new(true));
    let job = || {
        let halts = halts.clone();
        let source = Notes::of([("a", "1"), ("b", "2")]);
        let mapped = Pipeline::named("held").read(source).map(move |note: Note| {
            let halts = halts.load(SeqCst) && note.key == "b";
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        });
        Job::from(mapped.store(table()))
    };
    let home = open(&root, &clock).unwrap();
    soon(home.run(&job(), RunOptions::default())).await.unwrap_err();
    halts.store(false, SeqCst);
    drop(home);

    let Some(read_only) = Mounted::read_only(&root) else { return };
    let error = open(&root, &clock).unwrap_err();
    assert!(["home_unwritable", "ledger_read_only"].contains(&error.reason()), "{error:?}");
    assert!(error.guidance().unwrap().contains("writable"), "{error}");
    drop(read_only);

    let home = open(&root, &clock).unwrap();
    let report = soon(home.run(&job(), RunOptions::default())).await.unwrap();
    assert_eq!((report.resumed, ends(&report)), (true, [2, 0, 0, 0]));
}
