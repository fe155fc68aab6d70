//! What is due: every time of a schedule up to now, each with its fate and the reason. Pure: the
//! ledger keeps the answers.

use super::{CatchUp, Firing, Nominal, Timing};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::VecDeque;

/// A time that is kept within this is on time.
const GRACE: TimeDelta = TimeDelta::minutes(2);

/// So many times are decided one by one, the newest; those before them in one row.
const SINGLY: usize = 500;

/// Up to so many missed times are counted.
const STEPS: usize = 10_000;

/// What becomes of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It gets a run, on time.
    OnTime,
    /// It gets a run, late: nobody was there when it came.
    Late,
    /// A later one makes up for it.
    Coalesced,
    /// It is over.
    Missed,
}

impl Fate {
    /// Whether it gets a run.
    #[must_use]
    pub(crate) fn runs(self) -> bool {
        matches!(self, Fate::OnTime | Fate::Late)
    }
}

/// A time, or several in a row, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The time; the last of several.
    pub(crate) firing: Firing,
    /// What becomes of it.
    pub(crate) fate: Fate,
    /// Why.
    pub(crate) reason: String,
    /// How many times this stands for; `None` when they were too many to be counted.
    pub(crate) times: Option<u64>,
}

/// All times after `decided_to` up to `now`, oldest first, and what becomes of each. A schedule's
/// delay is already taken off `now`.
#[must_use]
pub(crate) fn due(
    timing: &Timing,
    anchor: DateTime<Utc>,
    decided_to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<Decision> {
    let (lump, times) = walk(timing, anchor, decided_to, now);
    judged(timing.policy.catch_up, lump, &Vec::from(times), now)
}

/// What becomes of times that are due, oldest first.
pub(crate) fn judged(
    catch_up: CatchUp,
    lump: Option<Lump>,
    times: &[Firing],
    now: DateTime<Utc>,
) -> Vec<Decision> {
    let Some(last) = times.last().copied() else { return Vec::new() };
    let on_time = now - last.fire_at <= GRACE;
    let late = times.len() - usize::from(on_time);
    let runs = Chosen::of(catch_up, &times[..late], on_time, now);
    let before = lump.map(|lump| lump.decided(catch_up, last));
    let each = times.iter().copied().enumerate().map(|(n, firing)| {
        let (fate, reason) = match n >= late {
            true => (Fate::OnTime, "on time".to_string()),
            false => runs.fate(n, firing, last, now),
        };
        Decision { firing, fate, reason, times: Some(1) }
    });
    before.into_iter().chain(each).collect()
}

/// Times before those that are decided one by one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lump {
    last: Firing,
    times: Option<u64>,
}

impl Lump {
    fn decided(self, catch_up: CatchUp, newest: Firing) -> Decision {
        let (fate, reason) = match catch_up {
            CatchUp::Last => (Fate::Coalesced, made_up_for(newest.scheduled_for)),
            CatchUp::None | CatchUp::All { .. } => {
                (Fate::Missed, "nobody was there for a long time".to_string())
            }
        };
        Decision { firing: self.last, fate, reason, times: self.times }
    }
}

/// Which of the late times get a run.
struct Chosen {
    catch_up: CatchUp,
    /// From here on all of them.
    first: usize,
}

impl Chosen {
    fn of(catch_up: CatchUp, late: &[Firing], on_time: bool, now: DateTime<Utc>) -> Self {
        let first = match catch_up {
            CatchUp::None => late.len(),
            // The one that is on time makes up for those before it.
            CatchUp::Last => late.len() - usize::from(!on_time && !late.is_empty()),
            CatchUp::All { max, window } => {
                let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
                let young = late.iter().filter(|firing| now - firing.fire_at <= window).count();
                late.len() - young.min(max as usize)
            }
        };
        Self { catch_up, first }
    }

    fn fate(&self, n: usize, firing: Firing, last: Firing, now: DateTime<Utc>) -> (Fate, String) {
        if n >= self.first {
            let late = words(now - firing.fire_at);
            return (Fate::Late, format!("caught up, {late} late"));
        }
        match self.catch_up {
            CatchUp::None => (Fate::Missed, "nobody was there, and catch_up is none".into()),
            CatchUp::Last => (Fate::Coalesced, made_up_for(last.scheduled_for)),
            CatchUp::All { max, window } => {
                let hours = words(TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX));
                (Fate::Missed, format!("not among the last {max} within {hours}"))
            }
        }
    }
}

fn made_up_for(by: Nominal) -> String {
    format!("made up for by the run of {by}")
}

/// A span in words: `5 min`, `3 h`, `2 days`.
fn words(span: TimeDelta) -> String {
    match span.num_minutes() {
        minutes @ ..120 => format!("{minutes} min"),
        minutes @ 120..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}

/// The times after `from` up to `now`: the newest one by one, those before as a lump.
fn walk(
    timing: &Timing,
    anchor: DateTime<Utc>,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> (Option<Lump>, VecDeque<Firing>) {
    let times = Times { timing, anchor };
    let all: VecDeque<Firing> = times.between(from, now).take(STEPS).collect();
    if all.len() < STEPS {
        let late = all.len().saturating_sub(SINGLY);
        let lump = late.checked_sub(1).and_then(|n| all.get(n));
        let lump = lump.map(|last| Lump { last: *last, times: Some(late as u64) });
        return (lump, all.into_iter().skip(late).collect());
    }
    // Too many to be walked over: the newest are looked for from the end.
    let newest = times.newest(from, now);
    let before = newest.front().and_then(|first| times.last(from, before(first.fire_at)));
    (before.map(|last| Lump { last, times: None }), newest)
}

fn before(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::milliseconds(1)
}

/// The times of a schedule.
#[derive(Clone, Copy)]
struct Times<'a> {
    timing: &'a Timing,
    anchor: DateTime<Utc>,
}

impl<'a> Times<'a> {
    fn next(self, after: DateTime<Utc>, now: DateTime<Utc>) -> Option<Firing> {
        let next = self.timing.schedule.next(after, self.timing.zone, self.anchor);
        next.filter(|firing| firing.fire_at <= now)
    }

    fn between(
        self,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Firing> + use<'a> {
        let first = self.next(from, now);
        std::iter::successors(first, move |firing| self.next(firing.fire_at, now))
    }

    /// The last one after `from` up to `now`, by halves: after it there is none.
    fn last(self, from: DateTime<Utc>, now: DateTime<Utc>) -> Option<Firing> {
        let mut last = self.next(from, now)?;
        let mut none = now;
        while none - last.fire_at > TimeDelta::seconds(1) {
            let middle = last.fire_at + (none - last.fire_at) / 2;
            match self.next(middle, now) {
                Some(firing) => last = firing,
                None => none = middle,
            }
        }
        Some(self.next(last.fire_at, now).unwrap_or(last))
    }

    /// The newest ones, at least as many as are decided one by one.
    fn newest(self, from: DateTime<Utc>, now: DateTime<Utc>) -> VecDeque<Firing> {
        let Some(last) = self.last(from, now) else { return VecDeque::new() };
        let mut span = TimeDelta::minutes(10);
        loop {
            let start = from.max(last.fire_at - span);
            let mut newest = VecDeque::new();
            let mut seen = 0;
            for firing in self.between(start, now) {
                newest.push_back(firing);
                seen += 1;
                if newest.len() > SINGLY {
                    newest.pop_front();
                }
            }
            if seen >= SINGLY || start == from {
                return newest;
            }
            span = span * 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Policy, Schedule, Zone};

    #[test]
    fn the_last_of_millions_of_times_is_found_and_the_newest_are_decided_one_by_one() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (from, now) = (at("2025-05-01T00:00:00Z"), at("2026-05-01T00:00:00Z"));
        for (expression, last, times) in [
            ("* * * * 12 *", "2025-12-31T23:59:59Z", None),
            ("* * * * * *", "2026-05-01T00:00:00Z", None),
            ("*/7 * 3 * 1-3 mon", "2026-03-30T03:59:56Z", Some(6520)),
        ] {
            let schedule = Schedule::cron(expression).unwrap();
            let zone = Zone::named("UTC").unwrap();
            let timing = Timing { schedule, zone, policy: Policy::default() };
            let decisions = due(&timing, from, from, now);
            assert_eq!(decisions.len(), SINGLY + 1, "{expression}");
            let newest = decisions.last().unwrap();
            assert_eq!(
                (newest.firing.fire_at, newest.fate.runs()),
                (at(last), true),
                "{expression}"
            );
            let pairs = decisions.windows(2);
            let mut gaps = pairs.map(|pair| {
                timing.schedule.next(pair[0].firing.fire_at, zone, from).unwrap() == pair[1].firing
            });
            assert!(gaps.all(|follows| follows), "{expression}: none is left out");
            assert_eq!(decisions[0].times, times, "counted only where that is cheap");
        }
    }
}
