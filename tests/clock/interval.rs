//! Jobs that follow the wall clock, against another program's evaluation: both passes of a doubled
//! hour, nothing of a gap, in the order of real time.

use super::{at, firings};
use chrono_tz::Tz;
use croner::Cron;
use std::str::FromStr;
use tidemill_pipeline::clock::{Schedule, Zone};

const JOBS: [&str; 3] = ["*/20 * * * *", "7 */2 * * *", "*/15 1-3 * * *"];

/// Zones whose clocks are hard: half an hour, two hours, at midnight, in Ramadan, never.
pub(super) const ZONES: [&str; 12] = [
    "Europe/Amsterdam",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/St_Johns",
    "Antarctica/Troll",
    "UTC",
    "Asia/Gaza",
    "Europe/Dublin",
];

/// How many firings of 2026 are the same one by one.
fn same(job: &str, name: &str) -> usize {
    let tz: Tz = name.parse().unwrap();
    let (from, until) = (at("2025-12-31T23:59:59Z"), at("2027-01-01T00:00:00Z"));
    let theirs = Cron::from_str(job).unwrap();
    let mut theirs = theirs.iter_after(from.with_timezone(&tz));
    let schedule = Schedule::cron(job).unwrap();
    let mut count = 0;
    for ours in firings(&schedule, Zone::named(name).unwrap(), from, until) {
        assert_eq!(Some(ours.fire_at), theirs.next().map(|at| at.to_utc()), "{job} in {name}");
        let nominal = ours.scheduled_for;
        let offset = nominal.offset.unwrap();
        assert_eq!(nominal.local, ours.fire_at.naive_utc() + offset, "{job} in {name}");
        count += 1;
    }
    assert!(theirs.next().is_none_or(|at| at.to_utc() >= until), "{job} in {name} ends early");
    count
}

#[test]
fn interval_jobs_follow_the_clock_as_another_program_says() {
    let all = |zones: &[&str]| -> usize {
        zones.iter().flat_map(|name| JOBS.map(|job| same(job, name))).sum()
    };
    let (first, second) = ZONES.split_at(ZONES.len() / 2);
    let firings = std::thread::scope(|scope| {
        let other = scope.spawn(|| all(second));
        all(first) + other.join().unwrap()
    });
    // 12 zones: each job's firings of a year without changes of clocks, within a few of them.
    let year = 365 * (72 + 12 + 12) * ZONES.len();
    assert!(firings.abs_diff(year) < 100, "{firings} firings are not about {year}");
}
