//! Calls: as many as the forecast says, counted at the server; and no page is asked for.

use super::site::{path, put};
use super::world::{FIRST, ROWS, Recipe, World};
use crate::support::fake_ollama::TINY;
use crate::support::fake_web::Fault;
use tidemill_pipeline::ledger::Why;
use tidemill_pipeline::replay::{Calls, Forecast, Kinds, Only};

const SHORTER: Recipe = Recipe { words: 50, ..FIRST };
const OTHER: Recipe = Recipe { model: Some("other:7b"), ..FIRST };

/// A site of pages that are summed up in one call, and of short ones that need none.
async fn archived(articles: usize, recipe: Recipe) -> World {
    let world = World::with(&[TINY, "other:7b"]);
    world.web.grow(articles);
    ["ebb", "flow", "slack"].iter().for_each(|name| put(&world.web, name, 30));
    let report = world.day(recipe).await;
    assert_eq!((report.items.done, report.items.parked), (articles as u64 + 3, 0), "{report:?}");
    world
}

/// Three pages that are summed up piece by piece.
fn long_ones(world: &World) {
    ["spring", "neap", "king"].iter().for_each(|name| put(&world.web, name, 4000));
}

fn exactly(calls: u64) -> Calls {
    Calls { least: calls, most: calls, unknown: 0 }
}

/// Forecasts, replays, and compares the calls that the server counted with those that were said.
async fn as_said(world: &World, recipe: Recipe, only: Only) -> (Forecast, u64) {
    let said = world.foresee(recipe, only).await;
    let (requests, before) = (world.web.requests().len(), world.ollama.calls());
    let report = world.replay(recipe, only).await.unwrap();
    assert_eq!(world.web.requests().len(), requests, "no page is asked for again");
    assert_eq!((report.items.done, report.items.parked), (said.items, 0), "{report:?}");
    let calls = (world.ollama.calls() - before) as u64;
    assert_eq!(report.calls_made, calls);
    let Calls { least, most, unknown } = said.calls;
    assert!(
        unknown == 0 && (least..=most).contains(&calls),
        "{calls} calls; said {:?}",
        said.calls
    );
    assert_eq!(world.ollama.truncated(), 0);
    (said, calls)
}

/// Nothing is left that a second replay of the same kind would do.
async fn nothing_left(world: &World, recipe: Recipe) {
    let (calls, runs) = (world.ollama.started(), world.rows("SELECT id FROM tm_runs"));
    let said = world.foresee(recipe, Only::Stale).await;
    assert_eq!((said.items, said.calls, said.kinds.stale), (0, exactly(0), 0), "{said:?}");
    assert!(world.replay(recipe, Only::Stale).await.is_none());
    assert_eq!(world.ollama.started(), calls);
    assert_eq!(world.rows("SELECT id FROM tm_runs"), runs, "it made no run");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_one_call_take_exactly_what_was_said() {
    let world = archived(14, FIRST).await;
    assert_eq!(world.ollama.calls(), 14);
    for (recipe, reason) in [(SHORTER, Why::Configured), (OTHER, Why::Configured)] {
        let (said, calls) = as_said(&world, recipe, Only::Stale).await;
        assert_eq!((said.items, said.calls, calls), (17, exactly(14), 14), "{said:?}");
        assert_eq!(said.kinds, Kinds { stale: 17, ..Kinds::default() });
        let whys = said.steps.iter().flat_map(|step| step.why.iter().map(move |w| (step, w)));
        let whys: Vec<_> =
            whys.map(|(step, why)| (step.step.as_str(), &why.why, why.items)).collect();
        assert_eq!(whys, [("summarise", &reason, 17)]);
        assert!(said.tokens > 14 * 100, "{said:?}");
        nothing_left(&world, recipe).await;
    }
    let by = "SELECT DISTINCT coalesce(model, method) FROM digests ORDER BY 1";
    assert_eq!(world.rows(by), ["other:7b", "verbatim"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_behind_the_same_name_makes_answers_stale() {
    let world = archived(5, FIRST).await;
    world.ollama.model_digest(&"5".repeat(64));
    let (said, calls) = as_said(&world, FIRST, Only::Stale).await;
    assert_eq!((said.items, said.calls, calls), (8, exactly(5), 5), "{said:?}");
    let why = said.steps.iter().flat_map(|step| &step.why).map(|why| &why.why);
    assert!(matches!(why.collect::<Vec<_>>()[..], [Why::Prepared { .. }]), "{said:?}");
    nothing_left(&world, FIRST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_pages_take_calls_within_the_range_that_was_said() {
    let world = World::with(&[TINY, "other:7b"]);
    world.web.grow(4);
    long_ones(&world);
    world.day(FIRST).await;
    assert!(world.ollama.calls() >= 4 + 3 * 3, "{} calls: no page was long", world.ollama.calls());
    for recipe in [SHORTER, OTHER, Recipe { words: 70, ..OTHER }] {
        let (said, calls) = as_said(&world, recipe, Only::Stale).await;
        assert!(said.calls.least >= 4 + 3 && said.calls.most > calls, "{said:?}");
        nothing_left(&world, recipe).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stale_is_not_touched() {
    let world = archived(4, FIRST).await;
    world.web.grow(9);
    let second = world.day(SHORTER).await;
    let mark = format!("SELECT * FROM digests WHERE _run = '{}' ORDER BY url", second.run);
    let (fresh, calls) = (world.rows(&mark), world.ollama.calls());
    let (said, _) = as_said(&world, SHORTER, Only::Stale).await;
    assert_eq!((said.items, said.calls, said.kinds.fresh), (7, exactly(4), fresh.len() as u64));
    assert_eq!(world.ollama.calls(), calls + 4);
    assert_eq!(world.rows(&mark), fresh);
    nothing_left(&world, SHORTER).await;
    // And the next ordinary run finds all of it as it is.
    let third = world.day(SHORTER).await;
    assert_eq!((third.items.done, third.calls_made), (0, 0), "{third:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_a_step_before_the_model_is_the_reason_and_bounds_hold() {
    let was = Recipe { stamp: 1, ..FIRST };
    let world = archived(6, was).await;
    let now = Recipe { stamp: 2, ..was };
    let (said, calls) = as_said(&world, now, Only::Stale).await;
    assert_eq!((said.items, calls), (9, 6), "the titles are others");
    let stamp = said.steps.iter().find(|step| step.step == "stamp").unwrap();
    assert_eq!(stamp.why.len(), 1, "{said:?}");
    assert_eq!((&stamp.why[0].why, stamp.why[0].items), (&Why::Version { was: 1, now: 2 }, 9));
    nothing_left(&world, now).await;
    // Back again: every answer is remembered. Nobody can know that before the stamp has worked.
    let (_, calls) = as_said(&world, was, Only::Stale).await;
    assert_eq!(calls, 0);
    nothing_left(&world, was).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_with_nothing_changed_asks_for_nothing() {
    let world = archived(5, FIRST).await;
    let rows = world.rows("SELECT url, summary, method FROM digests ORDER BY url");
    let (said, calls) = as_said(&world, FIRST, Only::All).await;
    assert_eq!((said.items, said.calls, calls), (8, exactly(0), 0), "{said:?}");
    let remembered: Vec<u64> = said.steps.iter().map(|step| step.remembered).collect();
    assert_eq!(remembered.iter().max(), Some(&8), "{said:?}");
    assert_eq!(world.rows("SELECT url, summary, method FROM digests ORDER BY url"), rows);
    nothing_left(&world, FIRST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_sentences_become_summaries_when_there_is_a_model() {
    let without = Recipe { model: None, ..FIRST };
    let world = archived(5, without).await;
    let methods = "SELECT method, count(*) FROM digests GROUP BY 1 ORDER BY 1";
    assert_eq!(
        (world.ollama.calls(), world.rows(methods)),
        (0, list(&["extractive|5", "verbatim|3"]))
    );
    let (said, calls) = as_said(&world, FIRST, Only::Stale).await;
    assert_eq!((said.items, said.calls, calls), (8, exactly(5), 5), "{said:?}");
    assert_eq!(world.rows(methods), list(&["model|5", "verbatim|3"]));
    nothing_left(&world, FIRST).await;
}

fn list(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_changed_meanwhile_is_not_taken_for_answered() {
    let world = archived(3, FIRST).await;
    world.web.revise(2, 77);
    let report = world.day(SHORTER).await;
    assert_eq!((report.items.done, report.calls_made), (1, 1), "{report:?}");
    // Back to the first prompt: what it once said of the page was about other words.
    let (said, calls) = as_said(&world, FIRST, Only::Stale).await;
    assert_eq!((said.items, said.calls.most, calls), (1, 1, 1), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_or_missing_is_replayed_without_a_request() {
    let world = World::new();
    world.web.grow(2);
    put(&world.web, "empty", 9);
    world.web.fault(&path("empty"), Fault::Empty);
    let first = world.day(FIRST).await;
    assert_eq!((first.items.done, first.items.parked), (2, 1), "{first:?}");
    assert_eq!(world.foresee(FIRST, Only::Missing).await.items, 0);
    let said = world.foresee(FIRST, Only::Parked).await;
    assert_eq!((said.items, said.kinds.parked), (1, 1), "{said:?}");
    let requests = world.web.requests().len();
    let again = world.replay(FIRST, Only::Parked).await.unwrap();
    assert_eq!((again.items.done, again.items.parked), (0, 1), "{again:?}");
    assert!(world.replay(FIRST, Only::Missing).await.is_none());
    assert_eq!(world.rows(ROWS).len(), 2);
    assert_eq!(world.web.requests().len(), requests);
}
