//! A year of sleep, kills, steps of the clock and clocks that are set back: each nominal time is
//! decided once, as its policy says, and what was fired ran once.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::stand::{Serving, Stand, hours};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tidemill_pipeline::clock::{CatchUp, Clock, Overlap};
use tidemill_pipeline::ledger::{FiringRow, ScheduleRow};
use tidemill_pipeline::testing::Lines;
use tidemill_pipeline::{Job, Mill, Pipeline};

const BEGIN: &str = "2026-01-01T00:00:30Z";

/// A time is kept within this; later it was missed.
const GRACE: i64 = 120_000;

const WINDOW: TimeDelta = TimeDelta::days(2);
const MOST: usize = 3;

fn job(name: &str) -> Job {
    Pipeline::named(name).read(Lines::of([""; 0])).into()
}

fn mill() -> Mill {
    let all = CatchUp::All { max: MOST as u32, window: WINDOW.to_std().unwrap() };
    Mill::at("mill")
        .daily("02:30", job("last"))
        .cron("15 2 * * *", job("none"))
        .catch_up(CatchUp::None)
        .every("25h", job("each"))
        .catch_up(all)
        .cron("0 */12 * * *", job("wild"))
        .overlap(Overlap::Queue)
        .weekly("mon 09:00", job("weekly"))
        .jitter(Duration::from_secs(600))
}

const NAMES: [&str; 5] = ["last", "none", "each", "wild", "weekly"];

/// The same numbers at each run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn minutes(&mut self, from: u64, to: u64) -> TimeDelta {
        TimeDelta::minutes(i64::try_from(from + self.below(to - from)).unwrap())
    }
}

/// Waits until everything that is due is decided, and what was fired has run.
async fn caught_up(stand: &Stand, serving: &Serving) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let now = stand.wall.now();
        let (rows, open) = serving
            .home
            .ledger()
            .read_now(|read| Ok((ScheduleRow::all(read)?, FiringRow::open(read)?)))
            .unwrap();
        if open.is_empty() && rows.iter().all(|row| row.wakes_at().is_none_or(|at| at > now)) {
            return;
        }
        serving.server.nudge();
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    panic!("it does not catch up");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_year_of_trouble_each_nominal_time_is_decided_once_by_policy() {
    let stand = Stand::at(BEGIN);
    let mut serving = stand.serve(mill()).await;
    let (mut dice, mut kills, mut furthest) = (Dice(7), 0, stand.wall.now());
    let end = furthest + TimeDelta::days(365);
    while stand.wall.now() < end {
        match dice.below(10) {
            0 => stand.wall.shift(dice.minutes(1, 60 * 60)), // the lid is shut, up to 60 hours
            // Set back, in all by less than a day: more would mean that the clock was wrong before.
            1 => stand
                .wall
                .shift(-dice.minutes(1, 20 * 60).min(hours(24) - (furthest - stand.wall.now()))),
            2 => stand.wall.shift(dice.minutes(0, 5)), // the time server steps in
            3 => stand.wall.shift(-dice.minutes(0, 5)),
            4 => {
                stand.wall.pass(dice.minutes(0, 300)); // perhaps in the middle of a run
                serving.server.nudge();
                tokio::time::sleep(Duration::from_micros(dice.below(3000))).await;
                serving.kill().await;
                kills += 1;
                stand.wall.shift(dice.minutes(0, 26 * 60));
                serving = stand.serve(mill()).await;
            }
            _ => stand.wall.pass(dice.minutes(10, 16 * 60)),
        }
        furthest = furthest.max(stand.wall.now());
        caught_up(&stand, &serving).await;
    }
    assert!(kills > 30, "{kills}");
    let schedules = serving.home.ledger().read_now(ScheduleRow::all).unwrap();
    for name in NAMES {
        let row = schedules.iter().find(|row| row.pipeline == name).unwrap();
        let rows = serving.rows(name);
        check_each_once(row, &rows, furthest);
        check_policy(name, &rows);
        check_runs(&serving, name);
    }
    serving.stop().await;
}

/// Every nominal time of the year has one decision, and there are no others.
fn check_each_once(schedule: &ScheduleRow, rows: &[FiringRow], furthest: DateTime<Utc>) {
    let anchor = DateTime::from_timestamp_millis(schedule.anchor).unwrap();
    let until = DateTime::from_timestamp_millis(schedule.decided_to).unwrap();
    assert!(
        furthest - until < hours(24) + TimeDelta::days(7),
        "{}: decided to {until}",
        schedule.pipeline
    );
    let mut at: DateTime<Utc> = BEGIN.parse().unwrap();
    let mut wanted = BTreeSet::new();
    while let Some(next) = schedule.timing.schedule.next(at, schedule.timing.zone, anchor) {
        at = next.fire_at;
        if at > until {
            break;
        }
        assert!(wanted.insert(next.scheduled_for.to_string()), "{} twice", next.scheduled_for);
    }
    let decided: Vec<String> = rows.iter().map(|row| row.scheduled_for.clone()).collect();
    let once: BTreeSet<String> = decided.iter().cloned().collect();
    assert_eq!(decided.len(), once.len(), "{}: decided twice", schedule.pipeline);
    assert_eq!(once, wanted, "{}", schedule.pipeline);
    assert!(rows.iter().all(|row| row.times == Some(1)));
}

/// What was decided together was decided as the policy says.
fn check_policy(name: &str, rows: &[FiringRow]) {
    let mut together: BTreeMap<i64, Vec<&FiringRow>> = BTreeMap::new();
    for row in rows {
        together.entry(row.decided_at).or_default().push(row);
    }
    for (at, mut rows) in together {
        rows.sort_by_key(|row| row.fire_at);
        let (last, before) = rows.split_last().unwrap();
        // The weekly one begins up to ten minutes later than its times.
        let grace = if name == "weekly" { GRACE + 600_000 } else { GRACE };
        let on_time = at - last.fire_at <= grace;
        let decisions: Vec<&str> = rows.iter().map(|row| row.decision.as_str()).collect();
        match name {
            "none" => {
                let at_work = last.decision == "skipped" && last.reason.contains("is at work");
                assert!(on_time == (last.decision == "fired" || at_work), "{last:?}");
                assert!(before.iter().all(|row| row.decision == "missed"), "{decisions:?}");
            }
            "each" => {
                let young = |row: &&FiringRow| at - row.fire_at <= WINDOW.num_milliseconds();
                let late = if on_time { before } else { &rows[..] };
                let ran =
                    late.iter().copied().filter(young).count().min(MOST) + usize::from(on_time);
                let missed = rows.len() - ran;
                assert!(decisions[..missed].iter().all(|what| *what == "missed"), "{decisions:?}");
                let ran =
                    |row: &&FiringRow| row.decision == "fired" || row.reason.contains("is at work");
                assert!(rows[missed..].iter().all(ran), "{decisions:?}");
            }
            _ => {
                // A run that was killed goes on just then: that is a reason, too.
                let at_work = last.decision == "skipped" && last.reason.contains("is at work");
                assert!(last.decision == "fired" || at_work, "{name} {last:?}");
                assert!(before.iter().all(|row| row.decision == "coalesced"), "{decisions:?}");
            }
        }
    }
}

/// What was fired has one published run, and no other run has one.
fn check_runs(serving: &Serving, name: &str) {
    let sql = format!(
        "SELECT (SELECT count(*) FROM tm_firings f JOIN tm_schedules s USING (schedule_no)
                  WHERE s.pipeline = '{name}' AND f.decision = 'fired' AND f.outcome = 'published'),
                (SELECT count(*) FROM tm_firings f JOIN tm_schedules s USING (schedule_no)
                  WHERE s.pipeline = '{name}' AND f.decision = 'fired'),
                count(DISTINCT r.firing_no), count(*)
           FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
          WHERE p.name = '{name}' AND r.state = 'finished'"
    );
    let rows = tidemill_pipeline::testing::rows(serving.home.ledger().path(), &sql).unwrap();
    let counts: BTreeSet<&str> = rows[0].split('|').collect();
    assert_eq!(counts.len(), 1, "{name}: published, fired, firings that ran, runs: {}", rows[0]);
}
