//! Schedules: times of day, days of the week, spans, cron expressions, at startup, after another.

use super::cron::Cron;
use super::{Firing, Zone, complaint, every, field};
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Before this no schedule is evaluated: the last day of 1969, in seconds since 1970.
const EARLIEST: i64 = -86_400;

/// From 2102 on there are no answers: the crate `cron` ends with 2100.
const LATEST: i64 = 4_165_516_800;

/// When a pipeline runs.
///
/// Its text is what it was written as; [`Schedule::parse`] reads each of them back, and two
/// schedules are equal when their texts are:
///
/// | text | it runs |
/// |---|---|
/// | `daily 06:00` | every day at a local time |
/// | `weekly mon 06:00` | once a week |
/// | `every 6h` | each time that so much real time has passed |
/// | `30 2 * * *` | as a cron expression says, see [`Schedule::cron`] |
/// | `at startup` | when the mill begins to serve |
/// | `after news` | after each published run of another pipeline |
///
/// # When the clocks change
///
/// A schedule whose minute and hour hold no `*` names *times of day*: each of them comes once per
/// date. When the clock goes forward over it, it fires at the first moment after the gap; times
/// that one gap swallows share that moment and fire once, under the earliest of their names. When
/// the clock goes back over it, it fires in the first pass only.
///
/// A schedule with a `*` in its second, minute or hour *follows the wall clock* in the order of real
/// time: what a gap swallows is left out, and an hour that comes twice has its firings twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Cron(Cron),
    /// Seconds.
    Every(i64),
    Startup,
    After(String),
}

fn wrong(what: String, help: &str) -> Error {
    Error::halt(what).because("bad_schedule").help(help)
}

/// A text from outside, short enough for a message.
fn shown(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

/// Hour and minute of `HH:MM`.
fn time_of_day(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse::<u8>().ok() } else { None }
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (hour < 24 && minute < 60).then_some((hour, minute))
}

impl Schedule {
    /// Every day at a local time `HH:MM`.
    ///
    /// # Errors
    /// When the time is not one.
    pub fn daily(at: &str) -> Result<Self> {
        let Some((hour, minute)) = time_of_day(at.trim()) else {
            let what = format!("`{}` is no time of day", shown(at));
            return Err(wrong(what, "write it as HH:MM, for instance 06:00"));
        };
        let cron = Cron::parse(&[&minute.to_string(), &hour.to_string(), "*", "*", "*"])?;
        Ok(Self { text: format!("daily {hour:02}:{minute:02}"), kind: Kind::Cron(cron) })
    }

    /// Every week on a day and a local time: `mon 06:00`, or `Monday 06:00`.
    ///
    /// # Errors
    /// When the day or the time is not one.
    pub fn weekly(at: &str) -> Result<Self> {
        const HELP: &str = "write the day and the time as in `mon 06:00`";
        let mut words = at.split_whitespace();
        let (Some(day), Some(time), None) = (words.next(), words.next(), words.next()) else {
            return Err(wrong(format!("`{}` is no day and time of a week", shown(at)), HELP));
        };
        let Some(day) = field::weekday(day) else {
            return Err(wrong(format!("`{}` is no day of the week", shown(day)), HELP));
        };
        let Some((hour, minute)) = time_of_day(time) else {
            return Err(wrong(format!("`{}` is no time of day", shown(time)), HELP));
        };
        let cron = Cron::parse(&[&minute.to_string(), &hour.to_string(), "*", "*", day])?;
        Ok(Self { text: format!("weekly {day} {hour:02}:{minute:02}"), kind: Kind::Cron(cron) })
    }

    /// Each time that a span of real time has passed: `15m`, `6h`, `90s`, `1d`, `1h30m`.
    ///
    /// # Errors
    /// When it is no span, or shorter than a second, or longer than a year.
    pub fn every(span: &str) -> Result<Self> {
        let (seconds, tidy) = every::parse(span)?;
        Ok(Self { text: format!("every {tidy}"), kind: Kind::Every(seconds) })
    }

    /// A cron expression: `minute hour day-of-month month day-of-week`, or six fields with the
    /// second before them, or a macro.
    ///
    /// A field is `*`, a number, a range `1-5`, a step `*/15` or `8-18/2`, or a list of these.
    /// Months and days of the week have names, three letters of which are enough. 0 and 7 are
    /// Sunday, and a range of days may go around the end of the week: `fri-mon`, `5-1`. `?` is `*`
    /// in the fields of days. L, W, # and years are not known.
    ///
    /// When both day fields are restricted, either is enough: `30 2 1 * mon` is the first of the
    /// month and each Monday. As in Vixie's cron (crontab(5)), a field that *begins* with `*` is
    /// unrestricted; so `0 0 */2 * mon` is each Monday that is also an odd day.
    ///
    /// Macros are `@yearly` (`@annually`), `@monthly`, `@weekly` (Sunday), `@daily` (`@midnight`),
    /// `@hourly`, `@every 15m` and `@startup`.
    ///
    /// # Errors
    /// When it cannot be read, or never fires (30 February): the message points at the field.
    pub fn cron(expression: &str) -> Result<Self> {
        if expression.chars().count() > complaint::LONGEST {
            return Err(complaint::too_long(expression));
        }
        let words: Vec<&str> = expression.split_whitespace().collect();
        let text = words.join(" ");
        match words.as_slice() {
            [] => Err(complaint::empty()),
            [word, rest @ ..] if word.starts_with('@') => of_macro(word, rest),
            words => Ok(Self { text, kind: Kind::Cron(Cron::parse(words)?) }),
        }
    }

    /// When the mill begins to serve.
    #[must_use]
    pub fn startup() -> Self {
        Self { text: "at startup".into(), kind: Kind::Startup }
    }

    /// After each published run of another pipeline.
    #[must_use]
    pub fn after(pipeline: &str) -> Self {
        let pipeline = pipeline.trim();
        Self { text: format!("after {pipeline}"), kind: Kind::After(pipeline.into()) }
    }

    /// Reads what [`Schedule::text`] says, of every kind.
    ///
    /// # Errors
    /// When it is no schedule.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (word.to_ascii_lowercase().as_str(), rest.trim()) {
            ("daily", at) => Self::daily(at),
            ("weekly", at) => Self::weekly(at),
            ("every", span) => Self::every(span),
            ("at", "startup") => Ok(Self::startup()),
            ("after", "") => {
                let help = "name the pipeline, for instance `after news`";
                Err(wrong("after which pipeline?".into(), help))
            }
            ("after", pipeline) => Ok(Self::after(pipeline)),
            _ => Self::cron(text),
        }
    }

    /// How it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pipeline that it runs after.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        match &self.kind {
            Kind::After(pipeline) => Some(pipeline),
            _ => None,
        }
    }

    /// Whether it runs when the mill begins to serve.
    #[must_use]
    pub fn is_startup(&self) -> bool {
        matches!(self.kind, Kind::Startup)
    }

    /// The first firing strictly after an instant. `None` for a schedule that no time fires (at
    /// startup, after a pipeline), and when there is none any more (they end with 2100).
    ///
    /// `anchor` is when the schedule came to be; only `every` needs it: it fires whole spans later.
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>, zone: Zone, anchor: DateTime<Utc>) -> Option<Firing> {
        let seconds = after.timestamp();
        match &self.kind {
            Kind::Every(span) => every::next(*span, after, zone, anchor),
            Kind::Cron(cron) if seconds < LATEST => cron.next(seconds.max(EARLIEST), zone),
            Kind::Cron(_) | Kind::Startup | Kind::After(_) => None,
        }
    }
}

/// A macro, and what stands behind it.
fn of_macro(word: &str, rest: &[&str]) -> Result<Schedule> {
    let name = word.to_ascii_lowercase();
    let fields = match name.as_str() {
        "@every" => return Schedule::every(&rest.concat()),
        "@startup" if rest.is_empty() => return Ok(Schedule::startup()),
        "@yearly" | "@annually" => ["0", "0", "1", "1", "*"],
        "@monthly" => ["0", "0", "1", "*", "*"],
        "@weekly" => ["0", "0", "*", "*", "0"],
        "@daily" | "@midnight" => ["0", "0", "*", "*", "*"],
        "@hourly" => ["0", "*", "*", "*", "*"],
        "@startup" => return Err(complaint::more_than_macro(word)),
        _ => return Err(complaint::unknown_macro(word)),
    };
    if !rest.is_empty() {
        return Err(complaint::more_than_macro(word));
    }
    Ok(Schedule { text: name, kind: Kind::Cron(Cron::parse(&fields)?) })
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

impl TryFrom<String> for Schedule {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.text
    }
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
        let next = |after| half_past_two.next(after, zone, after).unwrap();
        let spring = next(at("2026-03-28T12:00:00Z"));
        assert_eq!(spring.fire_at, at("2026-03-29T01:00:00Z"), "first instant after the gap");
        assert_eq!(spring.scheduled_for.to_string(), "2026-03-29T02:30:00");
        let autumn = next(at("2026-10-24T12:00:00Z"));
        assert_eq!(autumn.fire_at, at("2026-10-25T00:30:00Z"), "first pass of the overlap");
        let after = next(autumn.fire_at);
        assert_eq!(after.fire_at, at("2026-10-26T01:30:00Z"), "and not a second time");
    }

    #[test]
    fn a_bad_time_says_how_to_write_a_good_one() {
        for bad in ["25:00", "", "six", "06:60", "6", "06:00:00", "+6:00", "mon 06:00"] {
            let error = Schedule::daily(bad).unwrap_err();
            assert!(error.guidance().unwrap().contains("06:00"), "{error:?}");
        }
    }

    #[test]
    fn times_at_both_ends_of_all_time_do_not_matter() {
        let zones = ["Europe/Amsterdam", "Pacific/Apia", "Africa/Monrovia"];
        for zone in zones.map(|name| Zone::named(name).unwrap()) {
            for text in ["daily 06:00", "*/5 * * * *", "0 0 29 2 *", "every 1d", "at startup"] {
                let schedule = Schedule::parse(text).unwrap();
                for after in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                    for anchor in [DateTime::<Utc>::MIN_UTC, after, DateTime::<Utc>::MAX_UTC] {
                        let firing = schedule.next(after, zone, anchor);
                        assert!(firing.is_none_or(|f| f.fire_at > after), "{text} {firing:?}");
                        let _ = firing.map(|f| f.mark(zone));
                    }
                }
            }
        }
    }
}
