//! Schedules: a cron expression on a naive clock, fired once per nominal local time.

use super::Zone;
use crate::{Error, Result};
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use std::str::FromStr;

/// When a pipeline runs: once per nominal local time, whatever the clocks do.
///
/// The crate `cron` only sees a naive clock, which has no daylight saving; we map its answers to
/// instants. A time that the change to summer time skips fires at the first instant after the gap;
/// a time that comes twice in autumn fires in its first pass only.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: cron::Schedule,
}

/// One firing: the nominal local time, and the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// The wall-clock time that was meant.
    pub scheduled_for: NaiveDateTime,
    /// When it really is.
    pub fire_at: DateTime<Utc>,
}

impl Schedule {
    /// Every day at a time `HH:MM`.
    ///
    /// # Errors
    /// When the time is not one.
    pub fn daily(at: &str) -> Result<Self> {
        let time = NaiveTime::parse_from_str(at, "%H:%M").map_err(|_| {
            Error::halt(format!("`{at}` is no time of day"))
                .because("bad_schedule")
                .help("write it as HH:MM, for instance 06:00")
        })?;
        let expression = time.format("0 %-M %-H * * *").to_string();
        let cron = cron::Schedule::from_str(&expression).map_err(|e| {
            Error::halt(format!("`{at}` makes no schedule")).because("bad_schedule").caused_by(e)
        })?;
        Ok(Self { text: format!("daily {at}"), cron })
    }

    /// How it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first firing after an instant; `None` when there is none any more.
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>, zone: Zone) -> Option<Firing> {
        // A day's slack on the naive clock covers every gap and overlap there is.
        let mut naive = zone.local(after) - Duration::hours(26);
        for _ in 0..400 {
            naive = self.cron.after(&naive.and_utc()).next()?.naive_utc();
            let fire_at = instant(naive, zone)?;
            if fire_at > after {
                return Some(Firing { scheduled_for: naive, fire_at });
            }
        }
        None
    }
}

/// The instant of a wall-clock time: the first pass of an overlap, the end of a gap.
fn instant(naive: NaiveDateTime, zone: Zone) -> Option<DateTime<Utc>> {
    match zone.0.from_local_datetime(&naive) {
        LocalResult::Single(at) => Some(at.to_utc()),
        LocalResult::Ambiguous(first, second) => Some(first.min(second).to_utc()),
        LocalResult::None => gap_end(naive, zone),
    }
}

/// The first instant after the gap that swallows `naive`, to the second.
fn gap_end(naive: NaiveDateTime, zone: Zone) -> Option<DateTime<Utc>> {
    let offset = |t: DateTime<Utc>| zone.0.offset_from_utc_datetime(&t.naive_utc()).fix();
    let mut before = (naive - Duration::hours(30)).and_utc();
    let mut after = (naive + Duration::hours(30)).and_utc();
    let old = offset(before);
    if old == offset(after) {
        return None;
    }
    while after - before > Duration::seconds(1) {
        let middle = before + (after - before) / 2;
        if offset(middle) == old { before = middle } else { after = middle }
    }
    DateTime::from_timestamp(after.timestamp(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_daily_job_fires_once_on_the_days_the_clock_changes() {
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        let half_past_two = Schedule::daily("02:30").unwrap();
        let spring = half_past_two.next(at("2026-03-28T12:00:00Z"), zone).unwrap();
        assert_eq!(spring.fire_at, at("2026-03-29T01:00:00Z"), "first instant after the gap");
        assert_eq!(spring.scheduled_for.to_string(), "2026-03-29 02:30:00");
        let autumn = half_past_two.next(at("2026-10-24T12:00:00Z"), zone).unwrap();
        assert_eq!(autumn.fire_at, at("2026-10-25T00:30:00Z"), "first pass of the overlap");
        let after = half_past_two.next(autumn.fire_at, zone).unwrap();
        assert_eq!(after.fire_at, at("2026-10-26T01:30:00Z"), "and not a second time");
    }

    #[test]
    fn a_bad_time_says_how_to_write_a_good_one() {
        for bad in ["25:00", "", "six", "06:60"] {
            let error = Schedule::daily(bad).unwrap_err();
            assert!(error.guidance().unwrap().contains("06:00"), "{error:?}");
        }
    }
}
