//! The plans against golden cases and against an independent model of `restic forget`.

use super::{Dated, Decision, Increments, Keep, Kept, Snapshots, plan_increments, plan_snapshots};
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta};
use std::collections::BTreeSet;

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
}

fn snapshots(times: &[&str]) -> Vec<Kept> {
    times.iter().map(|t| Kept { run: (*t).to_owned(), at: at(t), pinned: false }).collect()
}

fn kept(decisions: &[Decision]) -> Vec<&str> {
    decisions.iter().filter(|d| d.keep).map(|d| d.run.as_str()).collect()
}

fn reasons<'a>(decisions: &'a [Decision], run: &str) -> &'a [String] {
    &decisions.iter().find(|d| d.run == run).unwrap().reasons
}

const NOW: &str = "2026-11-20 12:00";

#[test]
fn empty_policy_is_refused() {
    let error = plan_snapshots(&[], &Snapshots::default(), at(NOW)).unwrap_err();
    assert_eq!(error.reason(), "keep_empty");
    assert_eq!(error.verdict(), crate::Verdict::Halt);
}

#[test]
fn the_newest_of_each_day_stays_and_the_oldest_fills_up() {
    let runs = snapshots(&[
        "2026-11-18 06:00",
        "2026-11-20 06:00",
        "2026-11-19 06:00",
        "2026-11-19 18:00",
        "2026-11-18 01:00",
    ]);
    let plan = plan_snapshots(&runs, &Keep::daily(3), at(NOW)).unwrap();
    assert_eq!(kept(&plan), ["2026-11-20 06:00", "2026-11-19 18:00", "2026-11-18 06:00"]);
    assert_eq!(reasons(&plan, "2026-11-19 18:00"), ["daily 2 of 3"]);
    assert_eq!(reasons(&plan, "2026-11-18 01:00"), ["outside daily 3"]);
    let plan = plan_snapshots(&runs, &Keep::daily(4), at(NOW)).unwrap();
    assert_eq!(reasons(&plan, "2026-11-18 01:00"), ["oldest, daily 4 of 4"]);
}

#[test]
fn weeks_are_iso_weeks() {
    // 2027-01-03 is a Sunday of week 53 of 2026; 2027-01-04 opens week 1 of 2027.
    let times = ["2026-12-20 06:00", "2026-12-28 06:00", "2027-01-03 06:00", "2027-01-04 06:00"];
    let plan = plan_snapshots(&snapshots(&times), &Keep::weekly(3), at("2027-01-05 00:00"));
    let plan = plan.unwrap();
    assert_eq!(kept(&plan), ["2027-01-04 06:00", "2027-01-03 06:00", "2026-12-20 06:00"]);
}

#[test]
fn pins_and_the_future_are_protected() {
    let mut runs = snapshots(&["2026-11-01 06:00", "2026-11-20 06:00", "2031-01-01 06:00"]);
    runs[0].pinned = true;
    let plan = plan_snapshots(&runs, &Keep::last(1), at(NOW)).unwrap();
    assert_eq!(kept(&plan).len(), 3);
    assert_eq!(reasons(&plan, "2031-01-01 06:00"), ["future"]);
    assert_eq!(reasons(&plan, "2026-11-20 06:00"), ["last 1 of 1"]);
    assert_eq!(reasons(&plan, "2026-11-01 06:00"), ["pinned"]);
}

#[test]
fn runs_of_the_same_time_keep_their_order() {
    let mut runs = snapshots(&["2026-11-20 06:00", "2026-11-20 06:00"]);
    runs[0].run = "first".into();
    runs[1].run = "second".into();
    let plan = plan_snapshots(&runs, &Keep::last(1), at(NOW)).unwrap();
    assert_eq!(kept(&plan), ["first"]);
}

#[test]
fn increments_are_aged_out_but_never_thinned() {
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    let day = |ago: u64| today.checked_sub_days(Days::new(ago)).unwrap();
    let run = |name: &str, date| Dated { run: name.into(), date, pinned: false, referenced: false };
    let mut runs = vec![run("a", day(30)), run("b", day(30)), run("c", day(31)), run("d", day(99))];
    runs[3].referenced = true;
    let plan = plan_increments(&runs, &Keep::days(30), today);
    assert_eq!(kept(&plan), ["a", "b", "d"]);
    assert_eq!(reasons(&plan, "a"), ["within 30d"]);
    assert_eq!(reasons(&plan, "c"), ["older than 30 days"]);
    assert_eq!(reasons(&plan, "d"), ["referenced"]);
    assert_eq!(kept(&plan_increments(&runs, &Keep::forever(), today)).len(), 4);

    let future = run("f", today.checked_add_days(Days::new(9)).unwrap());
    let plan = plan_increments(&[run("old", day(400)), future], &Keep::days(7), today);
    assert_eq!(reasons(&plan, "f"), ["future"]);
    assert_eq!(reasons(&plan, "old"), ["floor"]);
    assert_eq!(kept(&plan), ["f", "old"]);
}

#[test]
fn policies_read_and_write() {
    let policy = Keep::last(2).hourly(3).yearly(4);
    assert_eq!(policy.to_string(), "last 2, hourly 3, yearly 4");
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Snapshots>(&json).unwrap(), policy);
    assert_eq!(serde_json::from_str::<Snapshots>(r#"{"daily":3}"#).unwrap(), Keep::daily(3));
    assert!(serde_json::from_str::<Snapshots>(r#"{"dayly":3}"#).is_err());
    assert_eq!(serde_json::to_string(&Keep::days(3)).unwrap(), r#"{"days":3}"#);
    assert_eq!(serde_json::from_str::<Increments>(r#""forever""#).unwrap(), Keep::forever());
}

/// A small generator of numbers (xorshift64*), so that every run of the tests sees the same cases.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn history(&mut self) -> Vec<Kept> {
        let step = [7, 90, 1_500, 20_000, 200_000][self.below(5) as usize];
        let mut time = at(NOW);
        let mut runs: Vec<Kept> = (0..1 + self.below(60))
            .map(|n| {
                time -= TimeDelta::minutes(self.below(step) as i64);
                Kept { run: n.to_string(), at: time, pinned: false }
            })
            .collect();
        // The plan sorts; what is in disorder must come out the same. Equal times stay in order.
        if self.below(2) == 0 {
            let middle = runs.len() / 2;
            if middle > 0 && runs[middle - 1].at != runs[middle].at {
                runs.rotate_left(middle);
            }
        }
        runs
    }

    fn policy(&mut self) -> Snapshots {
        let mut count = || if self.below(5) < 2 { self.below(9) as u32 } else { 0 };
        let policy =
            Keep::last(count()).hourly(count()).daily(count()).weekly(count()).monthly(count());
        let policy = policy.yearly(count());
        if policy.is_empty() { Keep::last(3) } else { policy }
    }
}

type PeriodName = Box<dyn Fn(NaiveDateTime) -> String>;

/// What a rule keeps, said without counters: the first runs of the first `n` periods, and the
/// oldest run when there are fewer than `n` periods.
fn model(runs: &[Kept], policy: &Snapshots) -> BTreeSet<String> {
    let mut sorted: Vec<&Kept> = runs.iter().collect();
    sorted.sort_by_key(|run| std::cmp::Reverse(run.at));
    let monday = |t: NaiveDateTime| {
        t.date() - TimeDelta::days(i64::from(t.weekday().num_days_from_monday()))
    };
    let format = |f: &'static str| move |t: NaiveDateTime| t.format(f).to_string();
    let mut keep: BTreeSet<String> =
        sorted.iter().take(policy.last as usize).map(|r| r.run.clone()).collect();
    let periods: [(u32, PeriodName); 5] = [
        (policy.hourly, Box::new(format("%Y-%m-%d %H"))),
        (policy.daily, Box::new(format("%Y-%m-%d"))),
        (policy.weekly, Box::new(move |t| monday(t).to_string())),
        (policy.monthly, Box::new(format("%Y-%m"))),
        (policy.yearly, Box::new(format("%Y"))),
    ];
    for (n, period) in periods {
        let mut seen = BTreeSet::new();
        for run in &sorted {
            if seen.len() < n as usize && seen.insert(period(run.at)) {
                keep.insert(run.run.clone());
            }
        }
        if seen.len() < n as usize {
            keep.extend(sorted.last().map(|r| r.run.clone()));
        }
    }
    keep
}

#[test]
fn ten_thousand_random_histories_agree_with_the_model() {
    let mut numbers = Numbers(0x7469_6465_6d69_6c6c);
    let (mut removed, mut rescued) = (0, 0);
    for case in 0..10_000 {
        let (runs, policy) = (numbers.history(), numbers.policy());
        let plan = plan_snapshots(&runs, &policy, at(NOW)).unwrap();
        let found: BTreeSet<String> =
            plan.iter().filter(|d| d.keep).map(|d| d.run.clone()).collect();
        assert_eq!(found, model(&runs, &policy), "case {case}: {policy} over {runs:?}");
        assert!(plan.iter().all(|d| !d.reasons.is_empty()));
        removed += plan.iter().filter(|d| !d.keep).count();
        rescued += plan.iter().filter(|d| d.reasons.iter().any(|r| r.contains("oldest"))).count();
    }
    assert!(removed > 50_000 && rescued > 500, "weak cases: {removed} removed, {rescued} oldest");
}

#[test]
fn a_run_dated_in_the_future_never_costs_a_real_one_its_place() {
    let mut numbers = Numbers(99);
    for _ in 0..500 {
        let (mut runs, policy) = (numbers.history(), numbers.policy());
        let before = plan_snapshots(&runs, &policy, at(NOW)).unwrap();
        runs.push(Kept { run: "future".into(), at: at("2099-01-01 00:00"), pinned: false });
        let after = plan_snapshots(&runs, &policy, at(NOW)).unwrap();
        assert_eq!(after[0].reasons, ["future"]);
        assert_eq!(after[1..], before[..]);
    }
}

#[test]
fn a_hundred_thousand_runs_are_planned_at_once() {
    let runs: Vec<Kept> = (0..100_000)
        .map(|n| Kept { run: n.to_string(), at: at(NOW) - TimeDelta::hours(n), pinned: false })
        .collect();
    let plan = plan_snapshots(&runs, &Keep::daily(30).weekly(12).monthly(24), at(NOW)).unwrap();
    assert_eq!(plan.iter().filter(|d| d.keep).count(), 59);
}

/// What `restic forget --dry-run --json` 0.19.1 kept of random histories, one case per line: the
/// histories were random, the answers are restic's own.
const RESTIC: &str = include_str!("restic_0_19_1.jsonl");

#[derive(serde::Deserialize)]
struct Recorded {
    policy: Snapshots,
    times: Vec<NaiveDateTime>,
    keep: BTreeSet<NaiveDateTime>,
}

#[test]
fn recorded_answers_of_restic_are_met() {
    for line in RESTIC.lines() {
        let case: Recorded = serde_json::from_str(line).unwrap();
        let run = |at: &NaiveDateTime| Kept { run: at.to_string(), at: *at, pinned: false };
        let runs: Vec<Kept> = case.times.iter().map(run).collect();
        let now = *case.times.iter().max().unwrap();
        let plan = plan_snapshots(&runs, &case.policy, now).unwrap();
        let expected: BTreeSet<String> = case.keep.iter().map(ToString::to_string).collect();
        let found: BTreeSet<String> = plan.into_iter().filter(|d| d.keep).map(|d| d.run).collect();
        assert_eq!(found, expected, "{}", case.policy);
    }
    assert_eq!(RESTIC.lines().count(), 24);
}
