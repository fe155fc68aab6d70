//! Every zone there is, five daily jobs, two years: each date once, at the right instant.

use super::at;
use chrono::{Days, NaiveDate, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::ops::AddAssign;
use tidemill_pipeline::clock::{Schedule, Zone};

const JOBS: [&str; 5] = ["30 2 * * *", "@daily", "15 0 * * *", "59 23 * * *", "30 1 * * *"];

/// Days of 2025 and 2026.
const DAYS: u64 = 730;

#[derive(Debug, Default, PartialEq)]
struct Counts {
    dates: u64,
    lost: u64,
    doubled: u64,
    backwards: u64,
    at_the_wrong_instant: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.dates += other.dates;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.backwards += other.backwards;
        self.at_the_wrong_instant += other.at_the_wrong_instant;
    }
}

/// Two years of a job in a zone, each firing asked for from the one before.
fn audit(schedule: &Schedule, zone: Zone, tz: Tz) -> Counts {
    let mut counts = Counts::default();
    let mut expected = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    let end = expected + Days::new(DAYS);
    // No wall clock shows 2025 yet, nor all of the last day of 2024.
    let mut after = at("2024-12-30T12:00:00Z");
    while expected < end {
        let Some(firing) = schedule.next(after, zone, after) else {
            counts.lost += 1;
            return counts;
        };
        counts.backwards += u64::from(firing.fire_at <= after);
        after = firing.fire_at;
        let meant = firing.scheduled_for.local;
        if meant.date() < expected {
            counts.doubled += u64::from(counts.dates > 0);
            continue;
        }
        counts.lost += (meant.date() - expected).num_days().unsigned_abs();
        counts.dates += 1;
        expected = meant.date() + Days::new(1);
        let shown = zone.local(after);
        // Where the wall clock skips the time, the second before still shows an earlier one.
        let right = match tz.from_local_datetime(&meant).earliest() {
            Some(instant) => instant == after,
            None => shown > meant && zone.local(after - chrono::Duration::seconds(1)) < meant,
        };
        counts.at_the_wrong_instant += u64::from(!right);
    }
    counts
}

#[test]
fn every_zone_loses_no_date_and_doubles_none() {
    let jobs = JOBS.map(|job| Schedule::cron(job).unwrap());
    let half = TZ_VARIANTS.len() / 2;
    let work = |zones: &'static [Tz]| {
        let mut counts = Counts::default();
        for tz in zones {
            let zone = Zone::named(tz.name()).unwrap();
            jobs.iter().for_each(|job| counts += audit(job, zone, *tz));
        }
        counts
    };
    let (first, second) = TZ_VARIANTS.split_at(half);
    let counts = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(second));
        let mut counts = work(first);
        counts += other.join().unwrap();
        counts
    });
    let dates = TZ_VARIANTS.len() as u64 * JOBS.len() as u64 * DAYS;
    assert!(dates > 2_000_000, "{dates} dates are not every zone");
    assert_eq!(counts, Counts { dates, ..Counts::default() });
}
