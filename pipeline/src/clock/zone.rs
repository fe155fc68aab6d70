//! The mill's time zone: an IANA name, never an offset.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

/// A time zone by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub(super) Tz);

impl Zone {
    /// The system's zone, or UTC where it cannot be told.
    #[must_use]
    pub fn of_system() -> Self {
        let name = iana_time_zone::get_timezone().unwrap_or_default();
        Self(name.parse().unwrap_or(Tz::UTC))
    }

    /// The zone of this name, for instance `Europe/Amsterdam`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// The wall clock at an instant.
    #[must_use]
    pub fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.0).naive_local()
    }
}
