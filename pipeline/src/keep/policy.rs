//! Retention policies: one type for what may be thinned, another for what may not.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The words that begin a retention policy.
///
/// ```
/// use tidemill_pipeline::keep::Keep;
/// let policy = Keep::daily(30).weekly(12).monthly(24);
/// assert_eq!(policy.to_string(), "daily 30, weekly 12, monthly 24");
/// assert_eq!(Keep::days(90).to_string(), "90 days");
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Keep {}

impl Keep {
    /// Keeps every increment for good.
    #[must_use]
    pub fn forever() -> Increments {
        Increments::Forever
    }

    /// Keeps increments up to an age of `n` days.
    #[must_use]
    pub fn days(n: u32) -> Increments {
        Increments::Days(n)
    }

    /// Keeps the newest `n` snapshots.
    #[must_use]
    pub fn last(n: u32) -> Snapshots {
        Snapshots::default().last(n)
    }

    /// Keeps the newest snapshot of each of the last `n` hours that have one.
    #[must_use]
    pub fn hourly(n: u32) -> Snapshots {
        Snapshots::default().hourly(n)
    }

    /// Keeps the newest snapshot of each of the last `n` days that have one.
    #[must_use]
    pub fn daily(n: u32) -> Snapshots {
        Snapshots::default().daily(n)
    }

    /// Keeps the newest snapshot of each of the last `n` ISO weeks that have one.
    #[must_use]
    pub fn weekly(n: u32) -> Snapshots {
        Snapshots::default().weekly(n)
    }

    /// Keeps the newest snapshot of each of the last `n` months that have one.
    #[must_use]
    pub fn monthly(n: u32) -> Snapshots {
        Snapshots::default().monthly(n)
    }

    /// Keeps the newest snapshot of each of the last `n` years that have one.
    #[must_use]
    pub fn yearly(n: u32) -> Snapshots {
        Snapshots::default().yearly(n)
    }
}

/// How long increments stay: datasets whose every run adds something new, so that thinning them
/// would lose data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Increments {
    /// For good.
    #[default]
    Forever,
    /// Up to this age in days, the last day included.
    Days(u32),
}

impl fmt::Display for Increments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Days(1) => f.write_str("1 day"),
            Self::Days(n) => write!(f, "{n} days"),
        }
    }
}

/// How snapshots are thinned: datasets whose every run is a full copy.
///
/// The rules are a union: a snapshot stays when any of them wants it. A count of 0 is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Snapshots {
    /// The newest, whenever they were made.
    pub last: u32,
    /// One per hour.
    pub hourly: u32,
    /// One per day.
    pub daily: u32,
    /// One per ISO week.
    pub weekly: u32,
    /// One per month.
    pub monthly: u32,
    /// One per year.
    pub yearly: u32,
}

impl Snapshots {
    /// Also the newest `n`.
    #[must_use]
    pub fn last(self, n: u32) -> Self {
        Self { last: n, ..self }
    }

    /// Also one per hour, for `n` hours that have one.
    #[must_use]
    pub fn hourly(self, n: u32) -> Self {
        Self { hourly: n, ..self }
    }

    /// Also one per day, for `n` days that have one.
    #[must_use]
    pub fn daily(self, n: u32) -> Self {
        Self { daily: n, ..self }
    }

    /// Also one per ISO week, for `n` weeks that have one.
    #[must_use]
    pub fn weekly(self, n: u32) -> Self {
        Self { weekly: n, ..self }
    }

    /// Also one per month, for `n` months that have one.
    #[must_use]
    pub fn monthly(self, n: u32) -> Self {
        Self { monthly: n, ..self }
    }

    /// Also one per year, for `n` years that have one.
    #[must_use]
    pub fn yearly(self, n: u32) -> Self {
        Self { yearly: n, ..self }
    }

    /// Whether there is no rule at all; such a policy is refused by the plan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = [
            ("last", self.last),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
        ];
        let mut separator = "";
        for (name, count) in rules.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{name} {count}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("no rule") } else { Ok(()) }
    }
}
