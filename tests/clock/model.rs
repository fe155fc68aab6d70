//! What a cron expression means, told minute by minute: slow, and too simple to be wrong.

use super::dice::{Dice, Part, part, star};
use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Timelike, Utc};
use tidemill_pipeline::clock::Zone;

/// A cron expression of five fields, and what it means.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    /// Minute, hour, day of month, month, day of week.
    pub(super) fields: [Part; 5],
}

impl Meaning {
    /// One that names times of day, or one that follows the clock.
    pub(super) fn rolled(dice: &mut Dice, fixed: bool) -> Self {
        let starred = if fixed { 0 } else { dice.of(1, 3) };
        let minute = if starred & 1 == 1 { star(dice, 0, 59) } else { part(dice, 0, 59, false) };
        let hour = if starred & 2 == 2 { star(dice, 0, 23) } else { part(dice, 0, 23, false) };
        let all = |low, high| Part { text: "*".into(), values: (low..=high).collect() };
        let month = if dice.of(0, 3) == 0 { part(dice, 1, 12, false) } else { all(1, 12) };
        let day = match dice.of(0, 5) {
            0 => part(dice, 1, 28, false),
            1 => star(dice, 1, 31),
            _ => all(1, 31),
        };
        let week = match dice.of(0, 4) {
            0 => part(dice, 0, 6, true),
            1 => star(dice, 0, 6),
            _ => all(0, 6),
        };
        Self { fields: [minute, hour, day, month, week] }
    }

    pub(super) fn text(&self) -> String {
        self.fields.iter().map(|field| field.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether both day fields count for themselves.
    fn either_day(&self) -> bool {
        [2, 4].iter().all(|field: &usize| !self.fields[*field].text.starts_with('*'))
    }

    /// The same with lists only, for a program that reads ranges of days in its own way; `None`
    /// where it takes `*/2` in a day field for a restriction.
    pub(super) fn plain(&self) -> Option<String> {
        let [_, _, day, _, week] = &self.fields;
        if [day, week].iter().any(|field| field.text.starts_with("*/")) {
            return None;
        }
        let field = |field: &Part| match field.text.starts_with('*') {
            true => field.text.clone(),
            false => field.values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        };
        Some(self.fields.iter().map(field).collect::<Vec<_>>().join(" "))
    }

    fn is_at(&self, wall: NaiveDateTime) -> bool {
        let [minute, hour, day, month, week] = &self.fields;
        let holds = |field: &Part, value: u32| field.values.contains(&value);
        let day = holds(day, wall.day());
        let week = holds(week, wall.weekday().num_days_from_sunday());
        holds(minute, wall.minute())
            && holds(hour, wall.hour())
            && holds(month, wall.month())
            && if self.either_day() { day || week } else { day && week }
    }

    /// The firings within `from < at < until` of one that follows the clock.
    pub(super) fn by_the_clock(
        &self,
        zone: Zone,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Vec<Fired> {
        let walls = minutes(from, until).map(|at| (zone.local(at), at));
        walls.filter(|(wall, at)| *at > from && self.is_at(*wall)).collect()
    }

    /// The same of one that names times of day: whatever the wall clock shows for the first time,
    /// or has jumped over, comes now; several at once are one, by the name of the first.
    pub(super) fn once_each(
        &self,
        zone: Zone,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Vec<Fired> {
        let before = from - Duration::hours(30);
        let mut furthest = zone.local(before);
        let mut fired = Vec::new();
        for at in minutes(before, until) {
            let now = zone.local(at);
            let mut first = None;
            while furthest < now {
                furthest += Duration::minutes(1);
                if first.is_none() && self.is_at(furthest) {
                    first = Some(furthest);
                }
            }
            fired.extend(first.map(|meant| (meant, at)));
        }
        fired.retain(|(_, at)| *at > from);
        fired
    }
}

/// What was meant, and when it came.
pub(super) type Fired = (NaiveDateTime, DateTime<Utc>);

/// All whole minutes of `from..until`.
fn minutes(from: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let first = from.timestamp().div_euclid(60) * 60;
    let steps = (first..until.timestamp()).step_by(60);
    steps.map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}
