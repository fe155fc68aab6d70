//! The mill's time zone: an IANA name, never an offset.

use crate::{Error, Result};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};

/// How many names are suggested.
const SUGGESTED: usize = 3;

/// Longer names are none, and nothing is near them.
const LONGEST: usize = 60;

/// A time zone by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(pub(super) Tz);

impl Zone {
    /// The system's zone: the environment's `TZ` where it is an IANA name, else what the system is
    /// set to, or UTC where that cannot be told.
    #[must_use]
    pub fn of_system() -> Self {
        let set =
            std::env::var("TZ").ok().and_then(|name| name.trim_start_matches(':').parse().ok());
        let system = || iana_time_zone::get_timezone().ok()?.parse().ok();
        Self(set.or_else(system).unwrap_or(Tz::UTC))
    }

    /// The zone of this name, for instance `Europe/Amsterdam`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// The zone of this name.
    ///
    /// # Errors
    /// When there is none; the nearest names are suggested.
    pub fn parse(name: &str) -> Result<Self> {
        let name = name.trim();
        Self::named(name).ok_or_else(|| unknown(name))
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

    /// How far the wall clock is ahead of UTC at an instant.
    #[must_use]
    pub fn ahead(&self, instant: DateTime<Utc>) -> FixedOffset {
        self.0.offset_from_utc_datetime(&instant.naive_utc()).fix()
    }

    /// The first instant at which the wall clock shows this time, or a later one when the change of
    /// clocks skips it; `None` beyond the years that a clock can show.
    #[must_use]
    pub fn instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let second = self.first_shown(local.and_utc().timestamp())?;
        DateTime::from_timestamp(second, 0)
    }
}

impl TryFrom<String> for Zone {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::parse(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name().into()
    }
}

fn unknown(name: &str) -> Error {
    const EXAMPLE: &str = "a zone has its IANA name, for instance `Europe/Amsterdam`";
    let shown: String = name.chars().take(LONGEST).collect();
    let near = nearest(name);
    let help = match near.as_slice() {
        _ if name.contains(|c: char| c.is_ascii_digit()) => {
            format!("an offset does not know when the clocks change; {EXAMPLE}")
        }
        [] => EXAMPLE.to_string(),
        near => format!("is it {}? {EXAMPLE}", near.join(" or ")),
    };
    Error::halt(format!("there is no time zone `{shown}`")).because("bad_zone").help(help)
}

/// The names that are most like a wrong one, the best first.
fn nearest(name: &str) -> Vec<String> {
    let wanted = tidy(name);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let far = 1 + wanted.len() / 4;
    let mut near: Vec<(usize, &str)> = TZ_VARIANTS
        .iter()
        .map(|zone| (difference(&wanted, zone.name()), zone.name()))
        .filter(|(difference, _)| *difference <= far)
        .collect();
    near.sort_unstable();
    near.iter().take(SUGGESTED).map(|(_, name)| format!("`{name}`")).collect()
}

fn tidy(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

/// How many letters differ from a name, or from the place that is its last part.
fn difference(wanted: &str, name: &str) -> usize {
    let name = tidy(name);
    let place = name.rsplit('/').next().unwrap_or(&name);
    letters(wanted, &name).min(letters(wanted, place))
}

/// Letters to add, remove or change to make one text the other (Levenshtein's distance).
fn letters(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let changed = corner + usize::from(a != b);
            corner = *cell;
            left = changed.min(corner + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(name: &str) -> String {
        let error = Zone::parse(name).unwrap_err();
        assert!(error.message().contains(&format!("`{name}`")), "{error:?}");
        let help = error.guidance().unwrap_or_default().to_string();
        assert!(help.contains("`Europe/Amsterdam`"), "{help}");
        help
    }

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(letters("kitten", "sitting"), 3);
        assert_eq!(letters("", "ebb"), 3);
        assert!(help("Europe/Amsterdm").starts_with("is it `Europe/Amsterdam`"));
        assert!(help("europe/paris").contains("`Europe/Paris`"));
        assert!(help("New York").contains("`America/New_York`"));
        assert!(help("Lord Howe").contains("`Australia/Lord_Howe`"));
        assert!(help("UTC+2").contains("an offset does not know"));
        assert!(help("nowhere at all in the world").starts_with("a zone"));
        assert!(help("").starts_with("a zone"));
    }

    #[test]
    fn a_zone_travels_as_its_name() {
        let zone = Zone::parse(" Pacific/Apia ").unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), "\"Pacific/Apia\"");
        assert_eq!(serde_json::from_str::<Zone>("\"Pacific/Apia\"").unwrap(), zone);
        assert!(serde_json::from_str::<Zone>("\"Atlantis\"").is_err());
    }
}
