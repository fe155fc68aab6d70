//! Promise: killed at every durable step and started again, a run ends like an unbroken one.
//!
//! The processes that die are this test binary itself, run again with only the test `child` in it.

mod calls;
mod judge;
mod long;
mod task;
mod yard;

use crate::support::program::{files_like, two_at_a_time};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tidemill_pipeline::crash::{POINTS, SERVE_POINTS};
use yard::Yard;

const ITEMS: usize = 60;

/// The same points at a later pass: in the middle of the items, or for the next datasets.
const LATER: [(&str, u64); 12] = [
    ("ledger.begun", 9),
    ("ledger.committed", 15),
    ("call.answered", 20),
    ("call.journaled", 33),
    ("step.done", 70),
    ("offload.planned", 2),
    ("ship.copied", 2),
    ("ship.renamed", 2),
    ("ship.manifest", 2),
    ("ship.copied", 3),
    ("offload.planned", 3),
    ("offload.retired", 2),
];

/// The points that a run passes; one within a rollback is no business of a run.
fn points() -> impl Iterator<Item = &'static str> {
    POINTS.iter().copied().filter(|point| !point.starts_with("rollback."))
}

/// What an unbroken run publishes, in a home of its own.
static UNBROKEN: LazyLock<Vec<String>> = LazyLock::new(|| unbroken(ITEMS));

fn unbroken(items: usize) -> Vec<String> {
    let mut yard = Yard::new();
    yard.through(items);
    let rows = judge::rows(&yard);
    assert_eq!(rows.len(), items);
    judge::at_end(&yard, &rows);
    rows
}

#[test]
#[ignore = "what the other tests start as a process of its own"]
fn child() {
    task::run();
}

#[test]
fn killed_at_each_crash_point_a_run_ends_like_an_unbroken_one() {
    two_at_a_time(points().map(|point| (point, 1)), killed_at);
}

#[test]
fn killed_at_later_passes_of_crash_points_it_does_so_too() {
    two_at_a_time(LATER, killed_at);
}

/// Kills a run of its own at this point and lets the next one end.
fn killed_at(point: &str, n: u64) {
    let mut yard = Yard::new();
    assert!(yard.killed_at(ITEMS, point, n), "it never came to {point}:{n}");
    yard.through(ITEMS);
    judge::at_end(&yard, &UNBROKEN);
}

#[test]
fn killed_at_random_calls_a_run_loses_only_what_was_in_hand() {
    let mut yard = Yard::new();
    for k in [3, 1, 14, 7, 11] {
        assert!(yard.killed_in_call(ITEMS, k, Duration::ZERO));
    }
    yard.through(ITEMS);
    judge::at_end(&yard, &UNBROKEN);
}

#[test]
fn a_rollback_that_is_killed_has_happened_or_has_not() {
    let more = unbroken(ITEMS + 30);
    for (point, happened) in
        [("rollback.inside", false), ("ledger.begun", false), ("ledger.committed", true)]
    {
        let mut yard = Yard::new();
        yard.through(ITEMS);
        yard.through(more.len());
        let last = judge::newest(&yard);
        assert!(yard.killed_in_rollback(&last, point), "it never came to {point}");
        let expected = if happened { &*UNBROKEN } else { &more };
        assert_eq!(&judge::rows(&yard), expected, "{point}");
        if !happened {
            yard.roll_back(&last);
        }
        assert_eq!(judge::rows(&yard), *UNBROKEN, "{point}");
        yard.through(more.len());
        assert_eq!(judge::rows(&yard), more, "{point}");
        assert_eq!(yard.ollama.repeated().len(), 0, "answers outlive a rollback");
    }
}

#[test]
fn readers_beside_a_publish_that_is_killed_see_the_former_rows_or_the_new_ones() {
    let more = unbroken(ITEMS + 30);
    for (point, published) in
        [("memory.written", false), ("publish.inside", false), ("publish.committed", true)]
    {
        let mut yard = Yard::new();
        yard.through(ITEMS);
        let (home, over) = (yard.home(), AtomicBool::new(false));
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = BTreeSet::new();
                while !over.load(SeqCst) {
                    seen.insert(judge::rows_in(&home));
                }
                seen
            });
            assert!(yard.killed_at(more.len(), point, 1), "it never came to {point}");
            over.store(true, SeqCst);
            reader.join().unwrap()
        });
        assert!(seen.iter().all(|rows| *rows == *UNBROKEN || *rows == more), "a mixture: {point}");
        let expected = if published { &more } else { &*UNBROKEN };
        assert_eq!(&judge::rows(&yard), expected, "{point}");
        yard.through(more.len());
        judge::at_end(&yard, &more);
    }
}

#[test]
fn every_crash_point_stands_in_the_code_and_in_the_list() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline/src");
    let mut found = BTreeSet::new();
    for file in files_like(&sources, ".rs") {
        let text = std::fs::read_to_string(file).unwrap();
        let calls = text.split("crash::point(\"").skip(1);
        found.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    let listed: BTreeSet<String> =
        POINTS.iter().chain(SERVE_POINTS).map(ToString::to_string).collect();
    assert_eq!(found, listed);
}
