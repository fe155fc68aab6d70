//! Thinning snapshots: the meaning of restic's `forget`, with reasons.

use super::decision::{Decision, apply_floor};
use super::policy::Snapshots;
use crate::{Error, Result};
use chrono::{Datelike, NaiveDateTime, Timelike};

/// A snapshot run as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The run's id.
    pub run: String,
    /// When it was scheduled for, in the mill's local time.
    pub at: NaiveDateTime,
    /// Whether a person pinned it.
    pub pinned: bool,
}

/// Decides which snapshots stay, newest first.
///
/// The rules mean what they mean to `restic forget` 0.19: newest first, a rule keeps a run that
/// opens a new hour, day, ISO week, month or year and then has one fewer left; periods without a
/// run cost nothing; one run may use up several rules; while a rule has some left, the oldest run
/// is kept too. Runs of the same time keep their order.
///
/// On top of that: pinned runs stay (they take part in the counting like any other), runs dated
/// in the future stay and are *not* counted, so that a clock that was wrong once cannot push real
/// snapshots out, and the newest run of the present always stays.
///
/// # Errors
/// *Halt* when the policy has no rule: it would mean to delete everything.
pub fn plan_snapshots(
    runs: &[Kept],
    policy: &Snapshots,
    now: NaiveDateTime,
) -> Result<Vec<Decision>> {
    if policy.is_empty() {
        return Err(Error::halt("the keep policy for snapshots has no rule")
            .because("keep_empty")
            .help("give it at least one, for instance Keep::last(7)"));
    }
    let mut sorted: Vec<&Kept> = runs.iter().collect();
    sorted.sort_by_key(|run| std::cmp::Reverse(run.at));
    let oldest = sorted.len().saturating_sub(1);
    let mut rules = rules(policy);
    let otherwise = format!("outside {policy}");
    let mut decisions = Vec::with_capacity(sorted.len());
    let mut present = Vec::with_capacity(sorted.len());
    for (index, run) in sorted.into_iter().enumerate() {
        let future = run.at > now;
        let mut reasons = Vec::new();
        if run.pinned {
            reasons.push("pinned".to_owned());
        }
        if future {
            reasons.push("future".to_owned());
        } else {
            reasons
                .extend(rules.iter_mut().filter_map(|r| r.judge(run.at, index, index == oldest)));
        }
        present.push(!future);
        decisions.push(Decision::from_reasons(&run.run, reasons, &otherwise));
    }
    apply_floor(&mut decisions, &present);
    Ok(decisions)
}

/// Equal for two snapshots of the same period.
type Period = (i64, u32, u32, u32);

/// One rule while the plan walks from the newest run to the oldest.
struct Rule {
    name: &'static str,
    count: u32,
    used: u32,
    seen: Option<Period>,
    period: fn(NaiveDateTime, usize) -> Period,
}

impl Rule {
    /// Why this rule keeps the run, if it does.
    fn judge(&mut self, at: NaiveDateTime, index: usize, oldest: bool) -> Option<String> {
        if self.used == self.count {
            return None;
        }
        let period = (self.period)(at, index);
        let opens = self.seen != Some(period);
        if !opens && !oldest {
            return None;
        }
        self.seen = Some(period);
        self.used += 1;
        let prefix = if opens { "" } else { "oldest, " };
        Some(format!("{prefix}{} {} of {}", self.name, self.used, self.count))
    }
}

fn rules(policy: &Snapshots) -> [Rule; 6] {
    let rule = |name, count, period| Rule { name, count, used: 0, seen: None, period };
    [
        // Every run is a period of its own.
        rule("last", policy.last, |_, index| (i64::try_from(index).unwrap_or(i64::MAX), 0, 0, 0)),
        rule("hourly", policy.hourly, |t, _| (i64::from(t.year()), t.month(), t.day(), t.hour())),
        rule("daily", policy.daily, |t, _| (i64::from(t.year()), t.month(), t.day(), 0)),
        // The ISO year: 1 January may belong to the last week of the year before.
        rule("weekly", policy.weekly, |t, _| {
            (i64::from(t.iso_week().year()), t.iso_week().week(), 0, 0)
        }),
        rule("monthly", policy.monthly, |t, _| (i64::from(t.year()), t.month(), 0, 0)),
        rule("yearly", policy.yearly, |t, _| (i64::from(t.year()), 0, 0, 0)),
    ]
}
