//! Readers see all of a replay or nothing of it; and one command takes it back, byte by byte.

use super::site::put;
use super::world::{FIRST, ROWS, Recipe, Seen, World, stale_or};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::replay::{Kinds, Only};
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::testing::rows;

const SHORTER: Recipe = Recipe { words: 50, ..FIRST };

/// What the ledger knows of each key now: its content, how it ended, and the steps that did it.
const MEMORY: &str = "SELECT m.key, hex(m.content), m.note, m.outcome, m.plan_no FROM tm_memory m
     JOIN tm_runs r USING (run_no) WHERE r.state IN ('published', 'finished')
      AND m.run_no = (SELECT max(o.run_no) FROM tm_memory o JOIN tm_runs p USING (run_no)
                       WHERE o.key = m.key AND p.state IN ('published', 'finished'))
    ORDER BY m.key";

async fn two_days() -> World {
    let world = World::new();
    world.web.grow(6);
    put(&world.web, "ebb", 30);
    world.day(FIRST).await;
    world.web.grow(8);
    world.day(FIRST).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_meanwhile_sees_the_former_rows_or_the_new_ones() {
    let world = two_days().await;
    let (before, calls) = (world.rows(ROWS), world.ollama.calls());
    let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let reader = std::thread::spawn({
        let (path, over) = (world.home.ledger().path().to_path_buf(), Arc::clone(&over));
        let looks = Arc::clone(&looks);
        move || {
            let mut seen = BTreeSet::new();
            loop {
                // One more look when all is over: what is published is seen.
                let last = over.load(SeqCst);
                seen.insert(rows(&path, ROWS).unwrap());
                looks.store(true, SeqCst);
                if last {
                    return seen;
                }
            }
        }
    });
    while !looks.load(SeqCst) {
        std::thread::yield_now();
    }
    world.ollama.hold();
    world.ollama.release(4);
    let replaying = {
        let (home, job) = (Arc::clone(&world.home), world.job(SHORTER, &Seen::default()));
        let replay =
            async move { home.replay(&job, stale_or(Only::Stale), RunOptions::default()).await };
        tokio::spawn(replay)
    };
    world.ollama.wait_for_calls(calls + 4);
    world.ollama.release_all();
    let report = replaying.await.unwrap().unwrap();
    over.store(true, SeqCst);
    let seen = reader.join().unwrap();
    let after = world.rows(ROWS);
    assert_eq!(report.unwrap().changed_rows, 8);
    assert_ne!(before, after);
    let expected = BTreeSet::from([before, after]);
    assert_eq!(seen, expected, "a mixture, or one of the two was never seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_taken_back_byte_by_byte_and_its_answers_stay() {
    let world = two_days().await;
    let (before, memory) = (world.rows(ROWS), world.rows(MEMORY));
    let stale = world.foresee(SHORTER, Only::Stale).await;
    let report = world.replay(SHORTER, Only::Stale).await.unwrap();
    let (after, calls) = (world.rows(ROWS), world.ollama.started());
    let back = world.roll_back(&report.run).await.unwrap();
    assert_eq!(
        (&back["restored"], &back["removed"]),
        (&8.into(), &0.into()),
        "all but the page that needed no model: {back}"
    );
    assert_eq!(world.rows(ROWS), before, "every column of every row");
    assert_eq!(world.rows(MEMORY), memory);

    let again = world.foresee(SHORTER, Only::Stale).await;
    assert_eq!((again.items, again.kinds), (stale.items, Kinds { stale: 9, ..Kinds::default() }));
    assert_eq!((again.calls.least, again.calls.most), (0, 0), "answers are remembered: {again:?}");
    let second = world.replay(SHORTER, Only::Stale).await.unwrap();
    assert_eq!((second.calls_made, second.items.done), (0, 9), "{second:?}");
    assert_eq!(world.ollama.started(), calls);
    let without_run = |rows: &[String], run: &str| -> Vec<String> {
        rows.iter().map(|row| row.replace(run, "RUN")).collect()
    };
    assert_eq!(
        without_run(&world.rows(ROWS), &second.run),
        without_run(&after, &report.run),
        "the same rows as the one that was taken back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_replay_that_was_taken_back_are_read_by_nobody() {
    let world = two_days().await;
    let first = world.replay(SHORTER, Only::Stale).await.unwrap();
    world.roll_back(&first.run).await.unwrap();
    let third = world.day(SHORTER).await;
    assert_eq!(third.items.done, 0, "the ordinary run leaves what is stale: {third:?}");
    assert_eq!(world.foresee(SHORTER, Only::Stale).await.items, 9);
    // The pages are as old as ever: the same replay does them, and it can be taken back as well.
    let second = world.replay(SHORTER, Only::Stale).await.unwrap();
    assert_eq!((second.items.done, second.calls_made), (9, 0), "{second:?}");
    assert_eq!(world.roll_back(&second.run).await.unwrap()["restored"], 8);
}
