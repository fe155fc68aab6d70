//! The wall-clock time that a schedule meant: the name of a firing, in tables and for people.

use crate::{Error, Result};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

/// The wall-clock time that was meant, to the second.
///
/// A fixed time (`daily 02:30`) comes once per date, whatever the clocks do, and has no offset. A
/// wildcard job and `every` run in both passes of an hour that comes twice; their offset tells the
/// passes apart. Its text is `2026-03-29T02:30:00` or `2026-10-25T02:30:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nominal {
    /// What the wall clock was to show.
    pub local: NaiveDateTime,
    /// How far it was ahead of UTC, where that belongs to the name.
    pub offset: Option<FixedOffset>,
}

impl Nominal {
    /// From seconds on the wall clock, and its offset in seconds.
    pub(super) fn of_seconds(wall: i64, offset: Option<i64>) -> Option<Self> {
        let local = DateTime::from_timestamp(wall, 0)?.naive_utc();
        let Some(offset) = offset else { return Some(Self { local, offset: None }) };
        let offset = FixedOffset::east_opt(i32::try_from(offset).ok()?)?;
        Some(Self { local, offset: Some(offset) })
    }

    /// The local date: `dt` of the files of a run.
    #[must_use]
    pub fn date(&self) -> NaiveDate {
        self.local.date()
    }
}

impl fmt::Display for Nominal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local.format(FORMAT))?;
        self.offset.map_or(Ok(()), |offset| write!(f, "{offset}"))
    }
}

impl FromStr for Nominal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            Error::halt(format!("`{text}` is no nominal time"))
                .because("bad_time")
                .help("write it as 2026-03-29T02:30:00, with +01:00 behind it where it has one")
        })
    }
}

impl TryFrom<String> for Nominal {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Nominal> for String {
    fn from(nominal: Nominal) -> String {
        nominal.to_string()
    }
}

fn read(text: &str) -> Option<Nominal> {
    const LENGTH: usize = "2026-03-29T02:30:00".len();
    let (local, offset) = (text.get(..LENGTH)?, text.get(LENGTH..)?);
    let local = NaiveDateTime::parse_from_str(local, FORMAT).ok()?;
    let offset = if offset.is_empty() { None } else { Some(read_offset(offset)?) };
    Some(Nominal { local, offset })
}

/// `+01:00`; some zones had seconds too, `-00:44:30`.
fn read_offset(text: &str) -> Option<FixedOffset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text.strip_prefix(['+', '-'])?.split(':') {
        if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_digit()) || unit == 0 {
            return None;
        }
        seconds += part.parse::<i32>().ok()? * unit;
        unit /= 60;
    }
    if unit > 1 { None } else { FixedOffset::east_opt(sign * seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read_back() {
        for text in [
            "2026-03-29T02:30:00",
            "2026-10-25T02:30:00+01:00",
            "1971-01-01T00:00:00-00:44:30",
            "2026-01-01T00:00:00+00:00",
        ] {
            let nominal: Nominal = text.parse().unwrap();
            assert_eq!(nominal.to_string(), text);
            let json = serde_json::to_string(&nominal).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Nominal>(&json).unwrap(), nominal);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "2026-03-29",
            "2026-03-29T02:30:00Z",
            "2026-03-29T02:30:00+1",
            "2026-03-29T02:30:00+01",
            "2026-03-29T02:30:00+01:00:00:00",
            "2026-03-29T02:30:00+99:00",
            "2026-02-30T02:30:00",
            "2026-03-29T02:30:0é",
        ] {
            assert!(bad.parse::<Nominal>().is_err(), "{bad}");
        }
    }
}
