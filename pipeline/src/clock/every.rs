//! Spans of time: `15m`, `6h`, `1h30m`, and when they are over.

use super::{Firing, Zone};
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Longer spans are a mistake, or a job for a calendar.
const LONGEST: i64 = 366 * 86_400;

/// The units, in the order in which they are written.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

const EXAMPLE: &str = "write it as `15m`, `6h`, `90s`, `1d` or `1h30m`";

fn wrong(what: String) -> Error {
    Error::halt(what).because("bad_schedule").help(EXAMPLE)
}

/// Reads a span of time as command lines have it: `15m`, `6h`, `90s`, `1d`, `1h30m`.
///
/// # Errors
/// How to write one, when it is none, shorter than a second, or longer than a year.
pub fn span(text: &str) -> std::result::Result<Duration, &'static str> {
    let seconds = seconds(text).filter(|seconds| (1..=LONGEST).contains(seconds));
    seconds.map(|seconds| Duration::from_secs(seconds.unsigned_abs())).ok_or(EXAMPLE)
}

/// Seconds of a span, and its text without white space and in lower case.
///
/// # Errors
/// When it is none, or shorter than a second, or longer than a year.
pub(super) fn parse(text: &str) -> Result<(i64, String)> {
    let tidy: String = text.split_whitespace().collect::<String>().to_lowercase();
    let shown: String = text.trim().chars().take(60).collect();
    let seconds = seconds(&tidy).ok_or_else(|| wrong(format!("`{shown}` is no span of time")))?;
    if seconds < 1 {
        return Err(wrong(format!("every `{shown}` is too often: a second is the least")));
    }
    if seconds > LONGEST {
        return Err(wrong(format!("`{shown}` is too long: a year is the most")));
    }
    Ok((seconds, tidy))
}

/// The sum of its parts; `None` when it cannot be read. Each unit once, from the longest down.
fn seconds(tidy: &str) -> Option<i64> {
    let mut units = UNITS.iter();
    let mut rest = tidy;
    let mut sum = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let unit = behind.chars().next()?;
        let (_, length) = units.by_ref().find(|(name, _)| *name == unit)?;
        // A number too large for its type is a span all the same, and too long.
        let number = number.parse::<i64>().unwrap_or(if digits == 0 { -1 } else { i64::MAX });
        if number < 0 {
            return None;
        }
        sum = sum.saturating_add(number.saturating_mul(*length));
        rest = behind.get(unit.len_utf8()..)?;
    }
    (!tidy.is_empty()).then_some(sum)
}

/// The first firing after an instant. They lie whole spans behind the anchor, the first of them one
/// span behind it; real time passes, whatever the clocks do.
pub(super) fn next(
    span: i64,
    after: DateTime<Utc>,
    zone: Zone,
    anchor: DateTime<Utc>,
) -> Option<Firing> {
    let (after, anchor) = (after.timestamp(), anchor.timestamp());
    let passed = after.checked_sub(anchor)?.max(0) / span;
    let at = (passed + 1).checked_mul(span)?.checked_add(anchor)?;
    let offset = zone.offset(at)?;
    Firing::of_seconds(at + offset, Some(offset), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, seconds, tidy) in [
            ("15m", 900, "15m"),
            (" 6H ", 21_600, "6h"),
            ("90s", 90, "90s"),
            ("1d", 86_400, "1d"),
            ("1h 30m", 5_400, "1h30m"),
            ("1d2h3m4s", 93_784, "1d2h3m4s"),
        ] {
            assert_eq!(parse(text).unwrap(), (seconds, tidy.to_string()), "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_an_example() {
        let long = format!("{}d", "9".repeat(40));
        for bad in [
            "",
            "15",
            "m",
            "15 minutes",
            "1.5h",
            "-5m",
            "0s",
            "0h0m",
            "30m1h",
            "1h1h",
            "367d",
            &long,
            "1é",
            "５m",
        ] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.reason(), "bad_schedule");
            assert!(error.guidance().unwrap().contains("`15m`"), "{bad}: {error:?}");
        }
    }
}
