//! Versions: what an ordinary run did meanwhile is never replaced by something older.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::world::{FIRST, Recipe, Seen, World, stale_or};
use std::sync::Arc;
use tidemill_pipeline::replay::Only;
use tidemill_pipeline::run::{RunOptions, RunReport};

const SHORTER: Recipe = Recipe { words: 50, ..FIRST };

/// What the table says of an article: its summary, and the run that wrote it.
fn row(world: &World, article: usize) -> (String, String) {
    let url = world.web.url(&format!("/articles/{article}"));
    let column = |name: &str| {
        world.rows(&format!("SELECT {name} FROM digests WHERE url = '{url}'")).remove(0)
    };
    (column("summary"), column("_run"))
}

/// A replay that is held after so many answers while an ordinary run changes pages; then it goes on.
async fn overtaken(world: &World, through: usize, change: impl Fn()) -> (RunReport, RunReport) {
    let asked = world.ollama.calls();
    world.ollama.hold();
    world.ollama.release(through);
    let replaying = {
        let (home, job) = (Arc::clone(&world.home), world.job(SHORTER, &Seen::default()));
        let replay =
            async move { home.replay(&job, stale_or(Only::Stale), RunOptions::default()).await };
        tokio::spawn(replay)
    };
    // Those that were let through, and one that is held.
    world.ollama.wait_for_started(asked + through + 1);
    change();
    let nightly = goes_first(world).await;
    (nightly, replaying.await.unwrap().unwrap().unwrap())
}

/// An ordinary run that asks for room while the model is held, then lets the model go on.
async fn goes_first(world: &World) -> RunReport {
    world.next_day();
    let job = world.job(SHORTER, &Seen::default());
    let mut nightly = Box::pin(world.home.run(&job, RunOptions::default()));
    // It comes as far as it can while the replay has the pipeline's turn.
    tokio::select! {
        biased;
        ended = &mut nightly => panic!("it did not wait for its turn: {ended:?}"),
        () = std::future::ready(()) => {}
    }
    world.ollama.release_all();
    nightly.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_run_did_anew_meanwhile_stays_as_that_run_did_it() {
    let world = World::new();
    world.web.grow(16);
    world.day(FIRST).await;
    let change = || [1, 2, 8, 15, 16].iter().for_each(|n| world.web.revise(*n, 500));
    let (nightly, replay) = overtaken(&world, 2, change).await;
    assert_eq!((nightly.items.done, nightly.items.unchanged), (5, 11), "{nightly:?}");
    assert!(replay.resumed && replay.items.parked == 0, "{replay:?}");
    for article in 1..=16 {
        let by = if [1, 2, 8, 15, 16].contains(&article) { &nightly } else { &replay };
        assert_eq!(row(&world, article).1, by.run, "article {article}");
    }
    let left = world.foresee(SHORTER, Only::Stale).await;
    assert_eq!((left.items, left.kinds.fresh), (0, 16), "{left:?}");
    assert!(world.replay(SHORTER, Only::Stale).await.is_none());
    // The files say the same: of no page a later version is older.
    let after = world.day(SHORTER).await;
    assert_eq!((after.items.done, after.calls_made), (0, 0), "{after:?}");
    // Taken back, the replay's pages are stale again, and the others stay.
    let back = world.roll_back(&replay.run).await.unwrap();
    assert_eq!(back["restored"], 11, "{back}");
    assert_eq!(world.foresee(SHORTER, Only::Stale).await.items, 11);
    assert_eq!(row(&world, 8).1, nightly.run);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_after_a_run_that_went_first_leaves_nothing_stale() {
    let world = World::new();
    world.web.grow(8);
    world.day(FIRST).await;
    world.ollama.hold();
    let replaying = {
        let (home, job) = (Arc::clone(&world.home), world.job(SHORTER, &Seen::default()));
        let replay =
            async move { home.replay(&job, stale_or(Only::All), RunOptions::default()).await };
        tokio::spawn(replay)
    };
    let asked = world.ollama.calls();
    world.ollama.wait_for_started(asked + 1);
    world.web.grow(10);
    let nightly = goes_first(&world).await;
    assert_eq!(nightly.items.done, 2, "{nightly:?}");
    replaying.await.unwrap().unwrap().unwrap();
    let left = world.foresee(SHORTER, Only::Stale).await;
    assert_eq!((left.items, left.kinds.fresh), (0, 10), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_page_is_not_brought_back_by_a_replay_that_begins_later() {
    let world = World::new();
    world.web.grow(4);
    world.day(FIRST).await;
    let old = row(&world, 3);
    world.web.revise(3, 600);
    world.day(SHORTER).await;
    let new = row(&world, 3);
    assert_ne!(old.0, new.0);
    let report = world.replay(SHORTER, Only::All).await.unwrap();
    assert_eq!((report.items.done, report.calls_made), (4, 3), "{report:?}");
    assert_eq!(row(&world, 3), new, "the same words");
    assert_eq!(world.foresee(SHORTER, Only::Stale).await.items, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_captured_again_as_it_was_is_not_stale() {
    let world = World::new();
    world.web.grow(3);
    world.day(FIRST).await;
    // After a fortnight a page is stored whole once more, though it is as it was.
    (0..20).for_each(|_| world.next_day());
    let again = world.day(FIRST).await;
    assert_eq!((again.items.done, again.items.unchanged), (0, 3), "{again:?}");
    let said = world.foresee(FIRST, Only::Stale).await;
    assert_eq!((said.versions, said.items, said.kinds.fresh), (6, 0, 3), "{said:?}");
    let said = world.foresee(SHORTER, Only::Stale).await;
    assert_eq!((said.items, said.calls.least, said.calls.most), (3, 3, 3), "{said:?}");
    let report = world.replay(SHORTER, Only::Stale).await.unwrap();
    assert_eq!((report.items.done, report.calls_made), (3, 3), "{report:?}");
    assert_eq!(world.foresee(SHORTER, Only::Stale).await.items, 0);
}
