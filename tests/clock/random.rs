//! Rolled expressions around changes of clocks, against a model that goes minute by minute.

use super::dice::Dice;
use super::interval::ZONES;
use super::model::{Fired, Meaning};
use super::{at, firings};
use chrono::{DateTime, Duration, LocalResult, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use std::str::FromStr;
use tidemill_pipeline::clock::{Dst, Firing, Schedule, Zone};

/// Changes that are rare: a day skipped, seven and three hours back, two within a week.
const RARE: [(&str, &str); 8] = [
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
    ("Antarctica/Vostok", "1994-01-31T17:00:00Z"),
    ("Antarctica/Vostok", "1994-11-01T00:00:00Z"),
    ("Antarctica/Casey", "2020-03-07T16:00:00Z"),
    ("America/Nuuk", "2026-03-29T01:00:00Z"),
    ("Asia/Gaza", "2040-10-20T00:00:00Z"),
    ("Asia/Kathmandu", "2026-01-01T00:00:00Z"),
];

/// Where to look: the changes of 2024 to 2027 in hard zones, and the rare ones.
fn changes() -> Vec<(&'static str, DateTime<Utc>)> {
    let mut found = RARE.map(|(zone, when)| (zone, at(when))).to_vec();
    let (start, end) = (at("2024-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
    for name in ZONES {
        let zone = Zone::parse(name).unwrap();
        let mut last = zone.local(start) - start.naive_utc();
        for hours in 1..(end - start).num_hours() {
            let now = start + Duration::hours(hours);
            let offset = zone.local(now) - now.naive_utc();
            if offset != last {
                found.push((name, now));
            }
            last = offset;
        }
    }
    found
}

/// How the firings were marked.
#[derive(Debug, Default)]
struct Seen {
    firings: usize,
    gap: usize,
    first: usize,
    second: usize,
}

impl Seen {
    fn add(&mut self, firing: Firing, name: &str) {
        let (zone, tz) = (Zone::parse(name).unwrap(), name.parse::<Tz>().unwrap());
        let mark = firing.mark(zone);
        let right = match tz.from_local_datetime(&firing.scheduled_for.local) {
            LocalResult::None => Some(Dst::Gap),
            LocalResult::Single(_) => None,
            LocalResult::Ambiguous(one, _) if one == firing.fire_at => Some(Dst::First),
            LocalResult::Ambiguous(..) => Some(Dst::Second),
        };
        assert_eq!(mark, right, "{firing:?} in {name}");
        self.firings += 1;
        match mark {
            Some(Dst::Gap) => self.gap += 1,
            Some(Dst::First) => self.first += 1,
            Some(Dst::Second) => self.second += 1,
            None => {}
        }
    }
}

/// Four days around a change: one firing after the other, and asked for out of the blue.
fn compare(
    dice: &mut Dice,
    fixed: bool,
    name: &'static str,
    change: DateTime<Utc>,
    seen: &mut Seen,
) {
    let zone = Zone::parse(name).unwrap();
    let from = change - Duration::minutes(i64::from(dice.of(1, 2880)));
    let until = from + Duration::days(4);
    let meaning = Meaning::rolled(dice, fixed);
    let text = meaning.text();
    let schedule = Schedule::cron(&text).unwrap();
    let expected: Vec<Fired> = match fixed {
        true => meaning.once_each(zone, from, until),
        false => meaning.by_the_clock(zone, from, until),
    };
    let found: Vec<Firing> = firings(&schedule, zone, from, until).collect();
    let fired: Vec<Fired> = found.iter().map(|f| (f.scheduled_for.local, f.fire_at)).collect();
    assert_eq!(fired, expected, "`{text}` in {name} from {from}");
    found.iter().for_each(|firing| {
        assert_eq!(firing.scheduled_for.offset.is_none(), fixed, "{firing:?}");
        seen.add(*firing, name);
    });
    for _ in 0..4 {
        let after = from + Duration::milliseconds(i64::from(dice.of(0, 4 * 86_400_000)));
        let next = schedule.next(after, zone, after).map(|firing| firing.fire_at);
        let right = expected.iter().map(|(_, at)| *at).find(|at| *at > after);
        let within = next.filter(|at| *at < until);
        assert_eq!(within, right, "`{text}` in {name} after {after}");
    }
    if let (false, Some(plain)) = (fixed, meaning.plain()) {
        let theirs = Cron::from_str(&plain).unwrap();
        let theirs = theirs.iter_after(from.with_timezone(&name.parse::<Tz>().unwrap()));
        let theirs = theirs.map(|at| at.to_utc()).take_while(|at| *at < until);
        let ours = fired.iter().map(|(_, at)| *at);
        assert!(ours.eq(theirs), "`{text}`, elsewhere `{plain}`, in {name} from {from}");
    }
}

#[test]
fn rolled_expressions_do_as_a_model_that_goes_minute_by_minute() {
    let changes = changes();
    assert!(changes.len() > 80, "{} changes", changes.len());
    let mut dice = Dice(2026);
    for fixed in [true, false] {
        let mut seen = Seen::default();
        for _ in 0..400 {
            let (name, change) = *dice.pick(&changes);
            compare(&mut dice, fixed, name, change, &mut seen);
        }
        assert!(seen.firings > 3_000 && seen.first > 50, "{seen:?}");
        // Each rule was tried: only fixed times fire for a gap, only the others in a second pass.
        assert_eq!((seen.gap > 9, seen.second > 50), (fixed, !fixed), "{seen:?}");
    }
}
