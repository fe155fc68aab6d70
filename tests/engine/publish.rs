//! A run's rows appear all at once, or not at all.

use super::bench::{Bench, rows};
use super::parts::{Gate, NOTES, Note, Notes, Seen, Work, table};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use tidemill_pipeline::run::Stop;
use tidemill_pipeline::{Error, Job, Pipeline};
use tidemill_stages::sqlite::Table;
use tokio::sync::oneshot;

const COUNT: usize = 40;

/// Forty notes of one text into two tables; the last one stops at the gate.
fn forty(text: &str, gate: &Gate) -> Job {
    let keys: Vec<_> = (0..COUNT).map(|n| format!("{n:02}")).collect();
    let gate = gate.clone();
    let last = Work::doing("last", &Seen::default(), move |note, _| {
        let gate = gate.clone();
        async move {
            if note.key == "39" {
                gate.pass().await;
            }
            Ok(note)
        }
    });
    Job::from(
        Pipeline::named("publish")
            .read(Notes::of(keys.iter().map(|key| (key.as_str(), text))))
            .then(last)
            .store(table())
            .store(Table::named("copies").keyed_by::<Note>("key")),
    )
}

/// What is to be seen at one moment: texts and counts of both tables.
const LOOK: &str = "SELECT (SELECT group_concat(DISTINCT text) FROM notes), (SELECT count(*) FROM notes),
                           (SELECT group_concat(DISTINCT text) FROM copies), (SELECT count(*) FROM copies)";

/// Looks again and again on a connection of its own, one last time after `end`; yields all sights.
fn watch(
    file: PathBuf,
    end: Arc<AtomicBool>,
) -> (oneshot::Receiver<()>, JoinHandle<BTreeSet<String>>) {
    let (tell, looked) = oneshot::channel();
    let mut tell = Some(tell);
    let watcher = std::thread::spawn(move || {
        let mut sights = BTreeSet::new();
        loop {
            let over = end.load(SeqCst);
            sights.extend(rows(&file, LOOK));
            if let Some(tell) = tell.take() {
                tell.send(()).ok();
            }
            if over {
                return sights;
            }
        }
    });
    (looked, watcher)
}

#[tokio::test]
async fn a_reader_sees_the_old_rows_or_the_new_ones() {
    let (bench, open, gate) = (Bench::new(), Gate::shut(), Gate::shut());
    open.open();
    bench.run(forty("old", &open)).await.unwrap();

    let end = Arc::new(AtomicBool::new(false));
    let (looked, watcher) = watch(bench.home().ledger().path().to_path_buf(), end.clone());
    looked.await.unwrap();
    let run = bench.start(forty("new", &gate), &Stop::default());
    gate.reached().await;
    let staged = "SELECT count(*) FROM tm_staged_notes WHERE text = 'new'";
    while bench.rows(staged) != ["39"] {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.rows(LOOK), ["old|40|old|40"], "staged rows are not to be seen");
    gate.open();
    let report = run.await.unwrap().unwrap();
    end.store(true, SeqCst);
    let sights = tokio::task::spawn_blocking(|| watcher.join()).await.unwrap().unwrap();
    assert_eq!(sights, BTreeSet::from(["old|40|old|40".into(), "new|40|new|40".into()]));
    assert_eq!(report.changed_rows, 2 * COUNT as u64);
}

#[tokio::test]
async fn a_halt_publishes_nothing_and_counts_nothing_as_seen() {
    let bench = Bench::new();
    let job = |halts: bool| {
        let source = Notes::of([("a", "ebb"), ("b", "flow")]);
        Pipeline::named("halt").read(source).store(table()).map(move |note: Note| async move {
            if halts && note.key == "b" {
                return Err(Error::halt("enough").because("enough"));
            }
            Ok(note)
        })
    };
    assert_eq!(bench.run(job(true)).await.unwrap_err().reason(), "enough");
    assert!(bench.rows(NOTES).is_empty());
    for table in ["tm_memory", "tm_offloads", "tm_parked"] {
        let count = bench.rows(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(count, ["0"], "{table} is written by a publish only");
    }
    bench.run(job(false)).await.unwrap();
    assert_eq!(bench.rows(NOTES), ["a|ebb", "b|flow"]);
}

#[tokio::test]
async fn rows_of_items_that_did_not_get_through_are_not_published() {
    let bench = Bench::new();
    let source = Notes::of([("a", "ebb"), ("parked", "x"), ("waiting", "y")]);
    let job = Pipeline::named("after").read(source).store(table()).map(|note: Note| async move {
        match note.key.as_str() {
            "parked" => Err(Error::park("no good")),
            "waiting" => Err(Error::wait("not now")),
            _ => Ok(note),
        }
    });
    let report = bench.run(job).await.unwrap();
    assert_eq!(super::bench::ends(&report), [1, 0, 1, 1]);
    assert_eq!(bench.rows(NOTES), ["a|ebb"]);
    assert_eq!(report.changed_rows, 1);
    assert_eq!(bench.rows("SELECT count(*) FROM tm_staged_notes"), ["0"], "nothing stays staged");
}

#[tokio::test]
async fn of_a_key_that_comes_twice_the_later_one_wins() {
    let bench = Bench::new();
    let (gate, seen) = (Gate::shut(), Seen::default());
    let (at, late) = (gate.clone(), seen.clone());
    // The first of the two is the slower one: the order of the source counts, not who is ready first.
    let slow = Work::doing("slow", &seen, move |note, _| {
        let (gate, seen) = (at.clone(), late.clone());
        async move {
            if note.text == "first" {
                gate.pass().await;
            } else {
                seen.add("second is through");
                gate.open();
            }
            Ok(note)
        }
    });
    let source = Notes::of([("a", "first"), ("a", "second")]);
    let job = Pipeline::named("twice").read(source).then(slow).unordered().store(table());
    let report = bench.run(job).await.unwrap();
    assert_eq!(report.repeated_keys, 1);
    assert_eq!(bench.rows(NOTES), ["a|second"]);
    assert_eq!(report.changed_rows, 1, "one row is new");
}

#[tokio::test]
async fn a_key_that_comes_twice_and_ends_as_it_was_is_no_change() {
    let bench = Bench::new();
    let run = |texts: [(&'static str, &'static str); 2]| {
        let source = Notes::of(texts).without_content();
        bench.run(Pipeline::named("twice").read(source).store(table()))
    };
    run([("a", "ebb"), ("b", "flow")]).await.unwrap();
    let runs = bench.rows("SELECT key, _run FROM notes");
    let report = run([("a", "other"), ("a", "ebb")]).await.unwrap();
    assert_eq!(report.changed_rows, 0);
    assert_eq!(bench.rows("SELECT key, _run FROM notes"), runs);
}
