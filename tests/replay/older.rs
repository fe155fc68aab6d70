//! Older versions: whatever lies where, a replay never puts an old page over a newer one.

use super::world::{FIRST, Recipe, Seen, World, stale_or};
use std::sync::Arc;
use tidemill_pipeline::replay::{Only, Selection};
use tidemill_pipeline::run::{RunOptions, Stop};
use tidemill_pipeline::tier;

const SHORTER: Recipe = Recipe { words: 50, ..FIRST };

fn text(world: &World, article: usize) -> String {
    let url = world.web.url(&format!("/articles/{article}"));
    world.rows(&format!("SELECT summary FROM digests WHERE url = '{url}'")).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_finished_goes_before_a_replay() {
    let world = World::new();
    world.web.grow(4);
    world.day(FIRST).await;
    world.web.revise(3, 700);
    world.next_day();
    let (stop, started) = (Stop::default(), world.ollama.started());
    world.ollama.hold();
    let running = {
        let (home, job) = (Arc::clone(&world.home), world.job(FIRST, &Seen::default()));
        let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        tokio::spawn(async move { home.run(&job, options).await })
    };
    world.ollama.wait_for_started(started + 1);
    stop.abort();
    assert_eq!(running.await.unwrap().unwrap_err().reason(), "interrupted");
    world.ollama.release_all();

    let before = world.rows("SELECT * FROM tm_memory ORDER BY key, run_no");
    let refused = world.replay_of(FIRST, stale_or(Only::All)).await.unwrap_err();
    assert_eq!(refused.reason(), "unfinished_run", "{refused}");
    assert_eq!(world.rows("SELECT * FROM tm_memory ORDER BY key, run_no"), before);
    let resumed = world.day(FIRST).await;
    assert!(resumed.resumed && resumed.items.done == 1, "{resumed:?}");
    let new = text(&world, 3);
    world.replay(SHORTER, Only::All).await.unwrap();
    world.day(SHORTER).await;
    world.replay(FIRST, Only::All).await.unwrap();
    assert_eq!(text(&world, 3), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_made_up_for_later_is_newer_whatever_its_date() {
    let world = World::new();
    world.web.grow(4);
    world.day(FIRST).await; // 2 March
    world.web.revise(3, 700);
    world.next_day();
    let missed = Some("2025-02-20T06:00:00".parse().unwrap());
    let options = RunOptions { scheduled_for: missed, ..RunOptions::default() };
    world.home.run(&world.job(FIRST, &Seen::default()), options).await.unwrap();
    let new = text(&world, 3);
    let since = Selection { since: "2025-03-01".parse().ok(), ..stale_or(Only::All) };
    let forecast = world.foresee_of(FIRST, since.clone()).await;
    assert_eq!((forecast.items, forecast.superseded), (3, 1), "{forecast:?}");
    world.replay_of(FIRST, since).await.unwrap().unwrap();
    assert_eq!(text(&world, 3), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_to_another_archive_is_newer_though_it_is_not_here() {
    let (world, other) = (World::new(), tempfile::tempdir().unwrap());
    world.web.grow(4);
    world.day(FIRST).await;
    world.web.revise(3, 700);
    world.next_day();
    tier::init(other.path(), None, world.home.clock().now()).unwrap();
    let archive = Some(other.path().to_path_buf());
    let options = RunOptions { archive, ..RunOptions::default() };
    world.home.run(&world.job(FIRST, &Seen::default()), options).await.unwrap();
    let new = text(&world, 3);
    let replay = world.replay(FIRST, Only::All).await.unwrap();
    assert_eq!(replay.items.done, 3, "{replay:?}");
    assert_eq!(text(&world, 3), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecast_counts_nothing_of_what_another_prompt_began() {
    let world = World::new();
    world.web.grow(6);
    world.day(FIRST).await;
    let (stop, asked) = (Stop::default(), world.ollama.calls());
    world.ollama.hold();
    world.ollama.release(2);
    let replaying = {
        let (home, job) = (Arc::clone(&world.home), world.job(SHORTER, &Seen::default()));
        let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        tokio::spawn(async move { home.replay(&job, stale_or(Only::Stale), options).await })
    };
    world.ollama.wait_for_started(asked + 3);
    stop.abort();
    assert!(replaying.await.unwrap().is_err());
    world.ollama.release_all();
    let other = Recipe { words: 45, ..FIRST };
    let forecast = world.foresee(other, Only::Stale).await;
    assert_eq!((forecast.items, forecast.through), (6, 0), "{forecast:?}");
    let before = world.ollama.calls();
    world.replay(other, Only::Stale).await.unwrap();
    let made = (world.ollama.calls() - before) as u64;
    let said = forecast.calls;
    assert!(
        (said.least..=said.most).contains(&made) && said.least == said.most,
        "{made}: {said:?}"
    );
}
