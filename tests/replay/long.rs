//! The long set: dozens of kills of one replay at random moments, and a replay for each crash point.
//!
//! `cargo test --test promises -- --ignored replay::long --nocapture`

use super::kill::{WORKERS, killed_at, like_an_unbroken_one, points};
use super::place::{Mill, REPLAY};
use crate::support::child::Child;
use crate::support::program::two_at_a_time;
use std::time::Duration;

/// Other numbers in this variable are other kills.
const SEED: &str = "TIDEMILL_CRASH_SEED";
const KILLS: usize = 40;

#[test]
#[ignore = "minutes; run it with --nocapture"]
fn dozens_of_kills_of_one_replay_lose_and_double_nothing() {
    let seed = std::env::var(SEED).map_or(20_261_120, |seed| seed.parse().unwrap());
    eprintln!("{SEED}={seed}");
    let mut dice = seed;
    let mill = Mill::stale();
    let (mut kills, mut through) = (0, 0);
    while kills < KILLS {
        match killed(&mill, &mut dice) {
            true => kills += 1,
            false => {
                through += 1;
                like_an_unbroken_one(&mill, kills * WORKERS, &format!("kill {kills}"));
                break;
            }
        }
    }
    mill.place.run(&REPLAY).code(0);
    like_an_unbroken_one(&mill, kills * WORKERS, "at the end");
    eprintln!("{kills} kills of one replay; it went through by itself {through} times");
}

#[test]
#[ignore = "minutes; run it with --nocapture"]
fn killed_at_early_and_later_passes_of_each_point_each_replay_ends_like_an_unbroken_one() {
    let later = [("ledger.committed", 7), ("call.journaled", 9), ("ship.renamed", 2)];
    let later = later.into_iter().chain([("ship.copied", 4), ("offload.parcel", 3)]);
    two_at_a_time(points().map(|point| (point, 1)).chain(later), killed_at);
}

/// Kills the replay soon after it has begun, at any moment. False when it went through before.
fn killed(mill: &Mill, dice: &mut u64) -> bool {
    let replaying = Child::start(mill.place.command(&REPLAY));
    // Not to wait for anything: this is the moment that the dice chose.
    std::thread::sleep(Duration::from_millis(20 + next(dice) % 380));
    let done = "SELECT CAST(count(*) AS TEXT) FROM tm_runs WHERE trigger = 'replay' AND state = 'finished'";
    let done = mill.place.texts(done) == ["1"];
    replaying.kill();
    mill.ollama.settle();
    !done
}

/// Numbers that are the same each time (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
