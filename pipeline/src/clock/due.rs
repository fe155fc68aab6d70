//! What is due: every time of a schedule up to now, each with its fate and the reason. Pure: the
//! ledger keeps the answers.

use super::{CatchUp, Firing, Nominal, Timing};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::VecDeque;

/// A time that is kept within this is on time.
const GRACE: TimeDelta = TimeDelta::minutes(2);

/// So many times are decided one by one, the newest; those before them in one row.
const SINGLY: usize = 500;

/// After so many steps the walk over missed times makes a jump.
const STEPS: usize = 10_000;

/// What becomes of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
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
    pub fn runs(self) -> bool {
        matches!(self, Fate::OnTime | Fate::Late)
    }
}

/// A time, or several in a row, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The time; the last of several.
    pub firing: Firing,
    /// What becomes of it.
    pub fate: Fate,
    /// Why.
    pub reason: String,
    /// How many times this stands for; `None` when they were too many to be counted.
    pub times: Option<u64>,
}

/// All times after `decided_to` up to `now`, oldest first, and what becomes of each. A schedule's
/// delay is already taken off `now`.
#[must_use]
pub fn due(
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
    let mut kept = VecDeque::new();
    let mut lump: Option<Lump> = None;
    let (mut at, mut counted) = (from, 0_u64);
    for step in 0.. {
        let Some(firing) = timing.schedule.next(at, timing.zone, anchor) else { break };
        if firing.fire_at > now {
            break;
        }
        at = firing.fire_at;
        kept.push_back(firing);
        if kept.len() > SINGLY
            && let Some(last) = kept.pop_front()
        {
            counted += 1;
            let uncounted = lump.is_some_and(|lump| lump.times.is_none());
            lump = Some(Lump { last, times: (!uncounted).then_some(counted) });
        }
        if step % STEPS == STEPS - 1 {
            // Too many to be walked over: nine tenths of what is left are left out.
            at += (now - at) / 10 * 9;
            let newest = kept.pop_back();
            lump = kept.back().map(|last| Lump { last: *last, times: None }).or(lump);
            kept = newest.into_iter().collect();
        }
    }
    (lump, kept)
}
