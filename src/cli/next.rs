//! `schedule next`: when a schedule fires, in local time and in UTC, with what clock changes do to it.

use super::flags::Flags;
use super::out;
use crate::Outcome;
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde::Serialize;
use tidemill_pipeline::clock::{Clock, Dst, Firing, Nominal, Schedule, SystemClock, Zone};
use tidemill_pipeline::{Error, Result};

/// Behind the help of the verb.
pub(super) const HELP: &str = "Five fields: minute hour day-of-month month day-of-week; \
    six begin with the second.\n\n\
    Example:  tidemill schedule next --cron '30 2 * * *' --tz Europe/Amsterdam --after 2026-03-28";

#[derive(Debug, clap::Args)]
pub(super) struct NextArgs {
    /// The pipeline whose schedule is meant; may be left out when there is only one
    pub(super) pipeline: Option<String>,
    /// No pipeline's, but a cron expression or a macro: '30 2 * * mon-fri', @daily, '@every 6h'
    #[arg(
        long,
        value_name = "EXPRESSION",
        allow_hyphen_values = true,
        conflicts_with = "pipeline"
    )]
    pub(super) cron: Option<String>,
    /// The zone whose clock is meant [default: the schedule's, or the system's]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Only what comes after this time: 2026-03-28 (from that day on), 2026-03-28T12:00 in the zone,
    /// or 2026-03-28T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// How many to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
}

/// A firing in the JSON report.
#[derive(Debug, Serialize)]
struct Shown {
    scheduled_for: Nominal,
    /// In UTC.
    fire_at: String,
    dst: Option<Dst>,
}

/// A schedule whose firings are shown.
pub(super) struct Meant {
    pub(super) schedule: Schedule,
    pub(super) zone: Zone,
    /// From when on `every` counts; where it is not known, from the first time shown.
    pub(super) anchor: Option<DateTime<Utc>>,
}

impl Meant {
    /// That of an expression.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn cron(expression: &str) -> Result<Self> {
        Ok(Self { schedule: Schedule::cron(expression)?, zone: Zone::of_system(), anchor: None })
    }
}

/// Shows the next firings of a schedule.
///
/// # Errors
/// When the zone or the time is none.
pub(super) fn show(flags: &Flags, args: &NextArgs, meant: &Meant) -> Result<Outcome> {
    let schedule = &meant.schedule;
    let zone = args.tz.as_deref().map_or(Ok(meant.zone), Zone::parse)?;
    let after = match &args.after {
        Some(text) => moment(text, zone)?,
        None => SystemClock.now(),
    };
    let firings = firings(schedule, zone, after, meant.anchor.unwrap_or(after), args.count);
    out::line(flags, format!("{} in {}", out::plain(schedule.text()), zone.name()));
    for firing in &firings {
        out::result(flags, told(firing, zone));
    }
    if firings.len() < usize::from(args.count) {
        out::line(flags, end(schedule, firings.len()));
    }
    out::json(flags, &firings.iter().map(|firing| shown(firing, zone)).collect::<Vec<_>>())?;
    Ok(Outcome::Done)
}

/// The next firings, each asked for from the one before.
fn firings(
    schedule: &Schedule,
    zone: Zone,
    after: DateTime<Utc>,
    anchor: DateTime<Utc>,
    count: u16,
) -> Vec<Firing> {
    let first = schedule.next(after, zone, anchor);
    let following = |firing: &Firing| schedule.next(firing.fire_at, zone, anchor);
    std::iter::successors(first, following).take(usize::from(count)).collect()
}

/// A time as a person writes it.
fn moment(text: &str, zone: Zone) -> Result<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    read(text, zone).ok_or_else(|| {
        Error::halt(format!("`{}` is no time", out::short(text, 60)))
            .because("usage")
            .help("write it as 2026-03-28, 2026-03-28T12:00 (in the zone) or 2026-03-28T12:00:00Z")
    })
}

fn read(text: &str, zone: Zone) -> Option<DateTime<Utc>> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        // From that day on: what fires in its first moment belongs to it.
        let begins = zone.instant(date.and_time(NaiveTime::MIN))?;
        return begins.checked_sub_signed(Duration::seconds(1));
    }
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    let local = formats.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok())?;
    zone.instant(local)
}

fn shown(firing: &Firing, zone: Zone) -> Shown {
    Shown { scheduled_for: firing.scheduled_for, fire_at: utc(firing), dst: firing.mark(zone) }
}

fn utc(firing: &Firing) -> String {
    firing.fire_at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A line: what was meant, when it is, and what a change of the clock does to it.
fn told(firing: &Firing, zone: Zone) -> String {
    let meant = firing.scheduled_for;
    let line = format!("{} {meant}  {}", meant.date().format("%a"), utc(firing));
    match firing.mark(zone) {
        Some(mark) => format!("{line}  {}", words(mark)),
        None => line,
    }
}

fn words(mark: Dst) -> &'static str {
    match mark {
        Dst::Gap => "clock goes forward: fires at the first moment after the gap",
        Dst::First => "clock goes back: first of two passes",
        Dst::Second => "clock goes back: second of two passes",
    }
}

/// Why there are no more.
fn end(schedule: &Schedule, shown: usize) -> &'static str {
    match shown {
        _ if schedule.is_startup() => "no time fires it: it runs when the mill begins to serve",
        _ if schedule.upstream().is_some() => "no time fires it: it runs after another pipeline",
        0 => "it does not fire after this time: schedules end with the year 2100",
        _ => "these are all: schedules end with the year 2100",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        for (text, instant) in [
            ("2026-03-28T12:00:00Z", "2026-03-28T12:00:00Z"),
            ("2026-03-28T12:00:00+05:30", "2026-03-28T06:30:00Z"),
            ("2026-03-28T12:00", "2026-03-28T11:00:00Z"),
            ("2026-03-28 12:00:30", "2026-03-28T11:00:30Z"),
            ("2026-03-28", "2026-03-27T22:59:59Z"),
            ("2026-03-29T02:30", "2026-03-29T01:00:00Z"),
        ] {
            assert_eq!(moment(text, zone).unwrap(), instant.parse::<DateTime<Utc>>().unwrap());
        }
        for bad in ["", "tomorrow", "2026-02-30", "2026-03-28T25:00", "12:00"] {
            let error = moment(bad, zone).unwrap_err();
            assert!(error.guidance().is_some_and(|help| help.contains("2026-03-28T12:00")));
        }
    }
}
