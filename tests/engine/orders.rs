//! Parked items are retried or dropped, and who does not own the home asks the one who does.

use super::bench::{Bench, ends, open, soon};
use super::parts::{Gate, NOTES, Note, Notes, Seen, Work, table};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tidemill_pipeline::clock::ManualClock;
use tidemill_pipeline::ledger::ParkedFilter;
use tidemill_pipeline::run::Stop;
use tidemill_pipeline::serve::{Order, letters};
use tidemill_pipeline::{Error, Job, Pipeline};

/// Parks `a` and `b` (for different reasons) until the site is mended.
fn job(mended: &Arc<AtomicBool>, before: &Seen) -> Job {
    let mended = Arc::clone(mended);
    let source = Notes::of([("a", "1"), ("b", "2"), ("c", "3")]);
    let job = Pipeline::named("site").read(source).then(Work::passing("before", before));
    let job = job.map(move |note: Note| {
        let mended = mended.load(SeqCst);
        async move {
            match note.key.as_str() {
                _ if mended => Ok(note),
                "a" => Err(Error::park("no headline").because("no_headline")),
                "b" => Err(Error::park("no text").because("no_text")),
                _ => Ok(note),
            }
        }
    });
    Job::from(job.store(table()))
}

fn because(reason: &str) -> ParkedFilter {
    ParkedFilter { reason: Some(reason.into()), ..ParkedFilter::default() }
}

#[tokio::test]
async fn what_is_retried_comes_first_next_time_with_what_it_had_behind_it() {
    let (bench, mended, before) = (Bench::new(), Arc::default(), Seen::default());
    bench.run(job(&mended, &before)).await.unwrap();
    assert_eq!(
        ends(&bench.run(job(&mended, &before)).await.unwrap()),
        [0, 3, 0, 0],
        "not every night"
    );
    mended.store(true, SeqCst);
    let done = bench.home().carry_out(Order::RetryParked(because("no_headline"))).await.unwrap();
    assert_eq!(done, json!({ "count": 1, "keys": ["a"] }));
    assert_eq!(bench.parked().len(), 1, "the other one stays");

    let report = bench.run(job(&mended, &before)).await.unwrap();
    assert_eq!((report.carried, ends(&report)), (1, [1, 2, 0, 0]));
    assert_eq!(bench.rows(NOTES), ["a|1", "c|3"]);
    assert_eq!(before.sorted(), ["a", "b", "c"], "the step before is remembered");
}

#[tokio::test]
async fn what_is_dropped_leaves_the_list_and_does_not_come_again() {
    let (bench, mended, before) = (Bench::new(), Arc::default(), Seen::default());
    bench.run(job(&mended, &before)).await.unwrap();
    let all = ParkedFilter::default();
    let done = bench.home().carry_out(Order::DropParked(all)).await.unwrap();
    assert_eq!(done["count"], 2);
    assert!(bench.parked().is_empty());
    mended.store(true, SeqCst);
    let report = bench.run(job(&mended, &before)).await.unwrap();
    assert_eq!((report.carried, ends(&report)), (0, [0, 3, 0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_at_work_carries_out_what_others_ask_for() {
    let (bench, mended, before) = (Bench::new(), Arc::default(), Seen::default());
    bench.run(job(&mended, &before)).await.unwrap();
    let gate = Gate::shut();
    let held = gate.clone();
    let other = Pipeline::named("other").read(Notes::of([("x", "1")])).map(move |note: Note| {
        let gate = held.clone();
        async move {
            gate.pass().await;
            Ok(note)
        }
    });
    let running = bench.start(other, &Stop::default());
    gate.reached().await;
    let attending = tokio::spawn(Arc::clone(bench.home()).attend(None));

    let root = bench.home().root().to_path_buf();
    let clock = Arc::clone(bench.home().clock());
    let give = async |order: Order| {
        let patience = Duration::from_secs(20);
        letters::give(&root, &order, clock.as_ref(), patience, |_| ()).await
    };
    let done = give(Order::DropParked(because("no_text"))).await.unwrap();
    assert_eq!(done, Some(json!({ "count": 1, "keys": ["b"] })));
    assert_eq!(bench.parked().len(), 1);
    let refused = give(Order::Rollback { run: "no-such-run".into() }).await.unwrap_err();
    assert_eq!(refused.reason(), "usage", "the owner's own words: {refused}");
    attending.abort();
    gate.open();
    soon(running).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_order_that_nobody_looks_at_is_withdrawn() {
    let bench = Bench::new();
    let order = Order::DropParked(ParkedFilter::default());
    let (root, clock) = (bench.home().root().to_path_buf(), Arc::clone(bench.home().clock()));
    let given = letters::give(&root, &order, clock.as_ref(), Duration::ZERO, |_| ()).await.unwrap();
    assert!(given.is_none());
    assert_eq!(bench.rows("SELECT count(*) FROM tm_requests"), ["0"]);
}

#[tokio::test]
async fn an_order_whose_taker_is_gone_is_no_reason_to_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let begin = chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    let (root, clock) = (folder.path().join("mill"), Arc::new(ManualClock::at(begin)));
    drop(open(&root, &clock).unwrap()); // nobody owns it any more
    let (order, path) = (Order::DropParked(ParkedFilter::default()), root.join("tidemill.db"));
    let taking = tokio::spawn(async move {
        // A killed owner leaves the order taken.
        loop {
            let hand = rusqlite::Connection::open(&path).unwrap();
            let sql = "UPDATE tm_requests SET taken_at = 1 WHERE taken_at IS NULL";
            if hand.execute(sql, []).unwrap() > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    let patience = Duration::from_secs(20);
    let given = soon(letters::give(&root, &order, clock.as_ref(), patience, |_| ())).await;
    assert_eq!(given.unwrap_err().reason(), "owner_gone");
    taking.await.unwrap();
}
