//! A published run can be taken back: former rows return exactly, and nothing newer is harmed.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::{Error, Pipeline, Result};

type Given<'a> = Vec<(&'a str, &'a str)>;

async fn run(bench: &Bench, notes: Given<'_>) -> String {
    let job = Pipeline::named("notes").read(Notes::of(notes)).store(table());
    bench.run(job).await.unwrap().run
}

async fn back(bench: &Bench, run: &str) -> Result<serde_json::Value> {
    bench.home().carry_out(Order::Rollback { run: run.into() }).await
}

const ALL: &str = "SELECT * FROM notes ORDER BY key";

#[tokio::test]
async fn former_rows_return_exactly_and_the_items_are_new_again() {
    let bench = Bench::new();
    run(&bench, vec![("a", "ebb"), ("b", "flow")]).await;
    let before = bench.rows(ALL);
    let second = run(&bench, vec![("a", "slack"), ("b", "flow"), ("c", "neap")]).await;
    assert_eq!(bench.rows(NOTES), ["a|slack", "b|flow", "c|neap"]);

    let done = back(&bench, &second).await.unwrap();
    assert_eq!((done["restored"].as_u64(), done["removed"].as_u64()), (Some(1), Some(1)));
    assert_eq!(bench.rows(ALL), before, "also which run wrote them");
    assert_eq!(
        bench.rows("SELECT state FROM tm_runs ORDER BY run_no"),
        ["finished", "rolled_back"]
    );

    let job =
        Pipeline::named("notes").read(Notes::of([("a", "slack"), ("b", "flow"), ("c", "neap")]));
    let report = bench.run(job.store(table())).await.unwrap();
    assert_eq!(ends(&report), [2, 1, 0, 0], "what was taken back is new again");
}

#[tokio::test]
async fn a_run_whose_rows_a_later_run_replaced_is_refused_until_that_one_is_taken_back() {
    let bench = Bench::new();
    let runs = [
        run(&bench, vec![("a", "1"), ("b", "1")]).await,
        run(&bench, vec![("a", "2"), ("c", "2")]).await,
        run(&bench, vec![("a", "3")]).await,
    ];
    let before = bench.rows(ALL);
    for touched in &runs[..2] {
        let error = back(&bench, touched).await.unwrap_err();
        assert_eq!(error.reason(), "touched_since", "{error}");
        assert!(error.message().contains("for instance a"), "{error}");
        assert_eq!(bench.rows(ALL), before, "nothing was changed");
    }
    for (run, left) in runs.iter().rev().zip([&["a|2", "b|1", "c|2"][..], &["a|1", "b|1"], &[]]) {
        back(&bench, run).await.unwrap();
        assert_eq!(bench.rows(NOTES), left);
    }
}

#[tokio::test]
async fn an_older_run_that_nobody_touched_is_taken_back_alone() {
    let bench = Bench::new();
    run(&bench, vec![("a", "1")]).await;
    let second = run(&bench, vec![("b", "2")]).await;
    run(&bench, vec![("c", "3")]).await;
    back(&bench, &second).await.unwrap();
    assert_eq!(bench.rows(NOTES), ["a|1", "c|3"]);
}

#[tokio::test]
async fn a_row_that_was_deleted_by_hand_counts_as_touched() {
    let bench = Bench::new();
    run(&bench, vec![("a", "1")]).await;
    let second = run(&bench, vec![("a", "2")]).await;
    let hand = rusqlite::Connection::open(bench.home().ledger().path()).unwrap();
    hand.execute("DELETE FROM notes WHERE key = 'a'", []).unwrap();
    assert_eq!(back(&bench, &second).await.unwrap_err().reason(), "touched_since");
}

#[tokio::test]
async fn only_the_last_three_runs_can_be_taken_back() {
    let bench = Bench::new();
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(run(&bench, vec![(["a", "b", "c", "d", "e"][n], "x")]).await);
    }
    assert_eq!(back(&bench, &runs[1]).await.unwrap_err().reason(), "undo_gone");
    for run in runs[2..].iter().rev() {
        back(&bench, run).await.unwrap();
    }
    // The first two are the last ones now, but what they replaced is gone.
    assert_eq!(back(&bench, &runs[1]).await.unwrap_err().reason(), "undo_gone");
    assert_eq!(bench.rows(NOTES), ["a|x", "b|x"]);
    let again = back(&bench, &runs[2]).await.unwrap_err();
    assert_eq!(again.reason(), "not_published");
    assert_eq!(back(&bench, "no-such-run").await.unwrap_err().reason(), "usage");
}

#[tokio::test]
async fn what_waited_before_the_run_waits_again() {
    let bench = Bench::new();
    let job = |here: bool| {
        let away = Work::doing("model", &Seen::default(), move |note: Note, _| async move {
            if here || note.key != "a" { Ok(note) } else { Err(Error::wait("away")) }
        });
        // The source yields `a` only once.
        let notes = if here { vec![("b", "2")] } else { vec![("a", "1"), ("b", "2")] };
        Pipeline::named("notes").read(Notes::of(notes)).then(away).store(table())
    };
    bench.run(job(false)).await.unwrap();
    let second = bench.run(job(true)).await.unwrap();
    assert_eq!((second.carried, bench.rows(NOTES)), (1, vec!["a|1".into(), "b|2".into()]));
    back(&bench, &second.run).await.unwrap();
    assert_eq!(bench.rows(NOTES), ["b|2"]);
    let third = bench.run(job(true)).await.unwrap();
    assert_eq!((third.carried, bench.rows(NOTES)), (1, vec!["a|1".into(), "b|2".into()]));
}

#[tokio::test]
async fn a_table_that_the_pipeline_no_longer_fills_is_restored_too() {
    let bench = Bench::new();
    run(&bench, vec![("a", "1")]).await;
    let second = run(&bench, vec![("a", "2")]).await;
    let other = tidemill_stages::sqlite::Table::named("others").keyed_by::<Note>("key");
    let job = Pipeline::named("notes").read(Notes::of([("b", "3")])).store(other);
    bench.run(job).await.unwrap();
    back(&bench, &second).await.unwrap();
    assert_eq!(bench.rows(NOTES), ["a|1"]);
    assert_eq!(bench.rows("SELECT key, text FROM others"), ["b|3"]);
}

#[tokio::test]
async fn what_is_under_way_begins_anew() {
    let bench = Bench::new();
    let first = run(&bench, vec![("a", "1")]).await;
    let halting = Pipeline::named("notes").read(Notes::of([("a", "1"), ("b", "2")])).store(table());
    let halting = halting
        .map(|note: Note| async move { if false { Ok(note) } else { Err(Error::halt("enough")) } });
    bench.run(halting).await.unwrap_err();
    back(&bench, &first).await.unwrap();
    let report = {
        let job = Pipeline::named("notes").read(Notes::of([("a", "1"), ("b", "2")])).store(table());
        bench.run(job).await.unwrap()
    };
    assert!(!report.resumed);
    assert_eq!(ends(&report), [2, 0, 0, 0]);
}
