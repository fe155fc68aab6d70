//! Ageing increments out: by date only, never thinned.

use super::decision::{Decision, apply_floor};
use super::policy::Increments;
use chrono::NaiveDate;

/// An increment run as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// The run's id.
    pub run: String,
    /// Its local date (`dt`).
    pub date: NaiveDate,
    /// Whether a person pinned it.
    pub pinned: bool,
    /// Whether a run that stays refers to a body in this one.
    pub referenced: bool,
}

/// Decides which increments stay, newest first; runs of the same date keep their order.
///
/// `Days(n)` keeps a run until it is more than `n` days old. Runs that are pinned, referred to
/// or dated in the future stay whatever their age, and so does the newest run of the present.
#[must_use]
pub fn plan_increments(runs: &[Dated], policy: &Increments, today: NaiveDate) -> Vec<Decision> {
    let mut sorted: Vec<&Dated> = runs.iter().collect();
    sorted.sort_by_key(|run| std::cmp::Reverse(run.date));
    let otherwise = format!("older than {policy}");
    let mut decisions: Vec<Decision> = sorted
        .iter()
        .map(|run| Decision::from_reasons(&run.run, reasons(run, policy, today), &otherwise))
        .collect();
    let present: Vec<bool> = sorted.iter().map(|run| run.date <= today).collect();
    apply_floor(&mut decisions, &present);
    decisions
}

fn reasons(run: &Dated, policy: &Increments, today: NaiveDate) -> Vec<String> {
    let mut reasons = Vec::new();
    let age = (today - run.date).num_days();
    if age < 0 {
        reasons.push("future".to_owned());
    }
    match policy {
        Increments::Forever => reasons.push("forever".to_owned()),
        Increments::Days(n) if (0..=i64::from(*n)).contains(&age) => {
            reasons.push(format!("within {n}d"));
        }
        Increments::Days(_) => {}
    }
    if run.pinned {
        reasons.push("pinned".to_owned());
    }
    if run.referenced {
        reasons.push("referenced".to_owned());
    }
    reasons
}
