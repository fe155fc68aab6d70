//! One firing of a schedule: what was meant, when it is, and what a change of clocks did to it.

use super::{Nominal, Zone};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One firing: the nominal local time, and the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// The wall-clock time that was meant.
    pub scheduled_for: Nominal,
    /// When it really is.
    pub fire_at: DateTime<Utc>,
}

/// What a change of clocks did to a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dst {
    /// The wall clock skips the time that was meant: it fires at the first moment after the gap.
    Gap,
    /// The wall clock shows this time twice, and this is the first pass.
    First,
    /// The wall clock shows this time twice, and this is the second pass.
    Second,
}

impl Dst {
    /// `gap`, `first` or `second`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Dst::Gap => "gap",
            Dst::First => "first",
            Dst::Second => "second",
        }
    }
}

impl Firing {
    /// From seconds: the wall clock that was meant, its offset where it is told, the instant.
    pub(super) fn of_seconds(wall: i64, offset: Option<i64>, at: i64) -> Option<Self> {
        let scheduled_for = Nominal::of_seconds(wall, offset)?;
        Some(Self { scheduled_for, fire_at: DateTime::from_timestamp(at, 0)? })
    }

    /// What a change of clocks did to it, in the zone that it was made for.
    #[must_use]
    pub fn mark(&self, zone: Zone) -> Option<Dst> {
        let at = self.fire_at.timestamp();
        if at + zone.offset(at)? != self.scheduled_for.local.and_utc().timestamp() {
            return Some(Dst::Gap);
        }
        if zone.is_second_pass(at)? {
            return Some(Dst::Second);
        }
        zone.is_first_pass(at)?.then_some(Dst::First)
    }
}
