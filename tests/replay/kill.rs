//! Killed anywhere, the same command goes on with a replay, and it ends like one that nobody killed.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::place::{ASKED, End, LONG, Mill, REPLAY};
use super::site::title;
use crate::support::child::Child;
use crate::support::program::two_at_a_time;
use std::sync::LazyLock;
use tidemill_pipeline::crash::POINTS;
use tidemill_pipeline::tier::{Presence, look, verify};

/// Points at later passes: in the middle of the items, around the publish, and for the later dates.
const LATER: [(&str, u64); 6] = [
    ("call.answered", 5),
    ("step.done", 14),
    ("publish.inside", 1),
    ("publish.committed", 1),
    ("offload.parcel", 2),
    ("ship.manifest", 3),
];

/// At these points answers may be under way that nobody has received; at the others none is.
const ASKING: [&str; 5] =
    ["ledger.begun", "ledger.committed", "call.answered", "call.journaled", "step.done"];

/// Pages that are asked about at once.
pub(super) const WORKERS: usize = 4;

/// The points that a replay passes.
pub(super) fn points() -> impl Iterator<Item = &'static str> {
    POINTS.iter().copied().filter(|point| !point.starts_with("rollback."))
}

/// A replay that nobody killed: how it ends, and what the model was asked about pages of one call.
pub(super) static UNBROKEN: LazyLock<(End, Vec<String>)> = LazyLock::new(|| {
    let mill = Mill::stale();
    mill.replay();
    mill.ollama.settle();
    let calls = mill.ollama.started();
    assert!(calls as u64 > ASKED, "{calls} calls: no page is long");
    (mill.end(), questions(&mill))
});

/// What was asked, without what was asked about the long page.
fn questions(mill: &Mill) -> Vec<String> {
    let prompts = mill.ollama.prompts().into_iter().map(|prompt| prompt.text);
    let mut asked: Vec<String> = prompts.filter(|text| !text.contains(&title(LONG))).collect();
    asked.sort();
    asked
}

#[test]
fn killed_at_each_crash_point_in_a_row_a_replay_ends_like_an_unbroken_one() {
    let mill = Mill::stale();
    let kills = points().map(|point| dies(&mill, point)).count();
    mill.place.run(&REPLAY).code(0);
    like_an_unbroken_one(&mill, kills * WORKERS, "every point");
}

#[test]
fn killed_in_its_middle_and_between_two_dates_it_does_so_too() {
    two_at_a_time(LATER, killed_at);
}

/// Kills a replay of its own at this point, and lets the same command end it.
pub(super) fn killed_at(point: &str, n: u64) {
    let mill = Mill::stale();
    let at = format!("{point}:{n}");
    dies(&mill, &at);
    mill.place.run(&REPLAY).code(0);
    let may_repeat = if ASKING.contains(&point) { WORKERS } else { 0 };
    like_an_unbroken_one(&mill, may_repeat, &at);
}

/// Lets a replay die at a crash point.
fn dies(mill: &Mill, at: &str) {
    let dying = Child::start(mill.dying(&REPLAY, at));
    assert!(dying.ends_killed(at), "it never came to {at}");
    mill.ollama.settle();
}

/// Compares with a replay that nobody killed; so many answers may have been asked for again.
pub(super) fn like_an_unbroken_one(mill: &Mill, may_repeat: usize, what: &str) {
    let (end, asked) = &*UNBROKEN;
    let found = mill.end();
    assert_eq!(found.rows, end.rows, "{what}");
    assert!(found == *end, "{what}: memory or archive differ: {found:#?} instead of {end:#?}");
    assert!(questions(mill) == *asked, "{what}: it asked other questions");
    let again: usize = mill.ollama.prompts().iter().map(|prompt| prompt.started - 1).sum();
    assert!(again <= may_repeat, "{what}: {again} questions were asked again");
    assert!(mill.place.scratch().is_empty(), "{what}: {:?}", mill.place.scratch());
    let Presence::Here(tier) = look(&mill.place.archive(), None) else { panic!("no archive") };
    let checked = verify(&tier, &mut |_| ()).unwrap();
    assert!(checked.is_sound() && checked.unlisted.is_empty(), "{what}: {checked:?}");
}

#[test]
fn killed_within_calls_again_and_again_it_asks_again_only_for_what_was_in_hand() {
    let mill = Mill::stale();
    let mut kills = 0;
    for more in [1, 2, 3] {
        let asked = mill.ollama.started();
        let replaying = Child::start(mill.place.command(&REPLAY));
        mill.ollama.wait_for_started(asked + more);
        replaying.kill();
        kills += 1;
        mill.ollama.settle();
    }
    mill.place.run(&REPLAY).code(0);
    like_an_unbroken_one(&mill, kills * WORKERS, "three kills");
}
