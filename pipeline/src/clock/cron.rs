//! Cron expressions as Vixie's cron reads them, evaluated on a clock that never changes.

use super::complaint;
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Fault, Field, HOUR, MINUTE, MONTH, SECOND};
use super::{Firing, Zone};
use crate::{Error, Result};
use chrono::DateTime;
use std::str::FromStr;

/// No zone has changed, or is said to change, as often until 2100, the last year of the crate.
const CHANGES: usize = 2_000;

/// The fields' order in an expression with seconds.
const FIELDS: [Field; 6] = [SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK];

/// The longest that each month gets.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A cron expression that has been read.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    /// One schedule, or two of which either may hold: by day of month, and by day of week.
    either: Vec<::cron::Schedule>,
    /// Whether it names times of day; otherwise it follows the clock.
    fixed: bool,
}

/// The values of each field, one bit each; in the order of `FIELDS`.
type Values = [u64; 6];

impl Cron {
    /// Reads five fields, or six with the second before them.
    ///
    /// # Errors
    /// When they cannot be read, or name a date that never comes.
    pub(super) fn parse(words: &[&str]) -> Result<Self> {
        let Some(fields) = fields(words.len()) else { return Err(complaint::count(words)) };
        let values =
            values(words, fields).map_err(|(place, fault)| told(words, fields, place, &fault))?;
        let day_field = words.len() - 3;
        let [.., day, month, week] = words else { return Err(complaint::count(words)) };
        let [_, _, _, days, months, _] = values;
        let both = is_restricted(day) && is_restricted(week);
        let comes = has_such_a_day(days, months);
        if !comes && !both {
            return Err(told(words, fields, day_field, &no_such_day(day, month, months)));
        }
        let mut either = Vec::new();
        if both && comes {
            either.push(with_full(values, 5));
        }
        either.push(if both { with_full(values, 3) } else { values });
        let either = either.iter().map(schedule).collect::<Result<_>>()?;
        let times = words.get(..words.len() - 3).unwrap_or_default();
        Ok(Self { either, fixed: !times.iter().any(|word| word.contains('*')) })
    }

    /// Whether these would do as a cron expression.
    pub(super) fn can_be_read(words: &[&str]) -> bool {
        fields(words.len()).is_some_and(|fields| values(words, fields).is_ok())
    }

    /// The next time on the naive clock, in seconds.
    fn after(&self, wall: i64) -> Option<i64> {
        let wall = DateTime::from_timestamp(wall, 0)?;
        let next = |schedule: &::cron::Schedule| schedule.after(&wall).next();
        self.either.iter().filter_map(next).min().map(|at| at.timestamp())
    }

    /// The first firing after an instant, in seconds.
    pub(super) fn next(&self, after: i64, zone: Zone) -> Option<Firing> {
        if self.fixed { self.next_fixed(after, zone) } else { self.next_wildcard(after, zone) }
    }

    /// Each time of day once: what the wall clock has shown already, or skipped, is over.
    fn next_fixed(&self, after: i64, zone: Zone) -> Option<Firing> {
        let wall = self.after(zone.furthest(after)?)?;
        let at = zone.first_shown(wall)?;
        if at > after { Firing::of_seconds(wall, None, at) } else { None }
    }

    /// In the order of real time: from one change of offset to the next, as far as need be.
    fn next_wildcard(&self, after: i64, zone: Zone) -> Option<Firing> {
        let mut offset = zone.offset(after)?;
        let (mut from, mut shown) = (after, after + offset);
        for _ in 0..CHANGES {
            let wall = self.after(shown)?;
            let at = wall - offset;
            let Some(change) = zone.change(from, at) else {
                return Firing::of_seconds(wall, Some(offset), at);
            };
            // A second less, because a time at the very change counts.
            (from, shown, offset) = (change.at, change.shown_first() - 1, change.after);
        }
        None
    }
}

/// The fields that an expression of so many words has.
fn fields(count: usize) -> Option<&'static [Field]> {
    match count {
        5 => FIELDS.get(1..),
        6 => Some(&FIELDS),
        _ => None,
    }
}

/// The values of all fields, or the place of the first that cannot be read.
fn values(words: &[&str], fields: &[Field]) -> Result<Values, (usize, Fault)> {
    // Without a field of seconds, it is the second 0.
    let mut values: Values = [1, 0, 0, 0, 0, 0];
    let slots = values.iter_mut().skip(FIELDS.len() - fields.len());
    for (place, ((slot, field), word)) in slots.zip(fields).zip(words).enumerate() {
        *slot = field.read(word).map_err(|fault| (place, fault))?;
    }
    Ok(values)
}

fn told(words: &[&str], fields: &[Field], place: usize, fault: &Fault) -> Error {
    match fields.get(place) {
        Some(field) => complaint::field(words, place, field, fault),
        None => complaint::count(words),
    }
}

/// Vixie's rule: a day field counts for itself unless it begins with `*`.
fn is_restricted(word: &str) -> bool {
    !word.starts_with(['*', '?'])
}

/// The same with one field unrestricted.
fn with_full(mut values: Values, place: usize) -> Values {
    let whole = FIELDS.get(place).map_or(0, Field::all);
    values.iter_mut().skip(place).take(1).for_each(|value| *value = whole);
    values
}

/// Whether a month of these has a day of these, in leap years at least.
fn has_such_a_day(days: u64, months: u64) -> bool {
    let lengths = (1..).zip(DAYS).filter(|(month, _)| months >> month & 1 == 1);
    lengths.map(|(_, length)| length).max().is_some_and(|longest| days.trailing_zeros() <= longest)
}

fn no_such_day(day: &str, month: &str, months: u64) -> Fault {
    let longest = (1..).zip(DAYS).filter(|(n, _)| months >> n & 1 == 1).map(|(_, length)| length);
    let longest = longest.max().unwrap_or(0);
    Fault {
        says: format!(
            "no such day ever comes in month `{month}`, whose last day is the {longest}th"
        ),
        help: format!("a day {day} comes with other months; {}", DAY_OF_MONTH.example),
    }
}

/// What the crate `cron` evaluates: lists of numbers, and names of weekdays, because it counts them
/// from another day on.
fn schedule(values: &Values) -> Result<::cron::Schedule> {
    let fields = FIELDS.iter().zip(values).map(|(field, set)| listed(field, *set));
    let text = fields.collect::<Vec<_>>().join(" ");
    ::cron::Schedule::from_str(&text).map_err(|e| {
        Error::halt(format!("`{text}` cannot be evaluated")).because("bad_schedule").caused_by(e)
    })
}

fn listed(field: &Field, set: u64) -> String {
    const WEEK: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    if set == field.all() {
        return "*".into();
    }
    let numbers = (field.low..=field.top()).filter(|value| set >> value & 1 == 1);
    let shown = |value: u32| match WEEK.get(value as usize) {
        Some(day) if field.name == DAY_OF_WEEK.name => (*day).to_string(),
        _ => value.to_string(),
    };
    numbers.map(shown).collect::<Vec<_>>().join(",")
}
