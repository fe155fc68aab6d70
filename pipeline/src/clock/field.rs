//! One field of a cron expression: which values it may have, and which ones a text names.

/// A field: its name, its values, and an expression that shows it in use.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) low: u32,
    /// The highest number that may be written.
    pub(super) high: u32,
    /// Names of the values, from `low` on.
    names: &'static [&'static str],
    pub(super) example: &'static str,
}

/// Why a field cannot be read, and what would be right.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) says: String,
    pub(super) help: String,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const fn numbers(name: &'static str, low: u32, high: u32, example: &'static str) -> Field {
    Field { name, low, high, names: &[], example }
}

pub(super) const SECOND: Field =
    numbers("second", 0, 59, "`0 30 2 * * *` is every day at 02:30:00");
pub(super) const MINUTE: Field = numbers("minute", 0, 59, "`30 2 * * *` is every day at 02:30");
pub(super) const HOUR: Field =
    numbers("hour", 0, 23, "`30 2,14 * * *` is every day at 02:30 and 14:30");
pub(super) const DAY_OF_MONTH: Field =
    numbers("day of month", 1, 31, "`30 2 1 * *` is the first of each month at 02:30");
pub(super) const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &MONTHS,
    example: "`30 2 1 jan,jul *` is 1 January and 1 July at 02:30",
};
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day of week",
    low: 0,
    high: 7,
    names: &DAYS,
    example: "`30 2 * * mon-fri` is Monday to Friday at 02:30",
};

/// The place of a weekday or a month in its list, by its name or at least three letters of it.
fn named(names: &[&str], text: &str) -> Option<u32> {
    let text = text.to_ascii_lowercase();
    let place = names.iter().position(|name| text.len() >= 3 && name.starts_with(&text))?;
    u32::try_from(place).ok()
}

/// The day of the week in three letters, by its name or at least three letters of it.
pub(super) fn weekday(text: &str) -> Option<&'static str> {
    let place = named(&DAYS, text)?;
    DAYS.get(usize::try_from(place).ok()?)?.get(..3)
}

impl Field {
    fn is_week(&self) -> bool {
        self.high == DAY_OF_WEEK.high
    }

    /// The highest value there is; Sunday as 7 is Sunday as 0.
    pub(super) fn top(&self) -> u32 {
        if self.is_week() { 6 } else { self.high }
    }

    fn fault<T>(&self, says: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { says: says.into(), help: self.example.into() })
    }

    /// All values, one bit each.
    pub(super) fn all(&self) -> u64 {
        bits(self.low, self.top(), 1)
    }

    /// The values that a text names, one bit each.
    pub(super) fn read(&self, text: &str) -> Result<u64, Fault> {
        let mut values = 0;
        for part in text.split(',') {
            values |= self.read_part(part)?;
        }
        // A wrapped week goes on behind Saturday.
        Ok(if self.is_week() { (values | values >> 7) & self.all() } else { values })
    }

    fn read_part(&self, part: &str) -> Result<u64, Fault> {
        if part.is_empty() {
            return self.fault("there is nothing beside a comma");
        }
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.read_step(step)?)),
            None => (part, None),
        };
        if range == "*" || (range == "?" && step.is_none() && self.may_be_any()) {
            return Ok(bits(self.low, self.top(), step.unwrap_or(1)));
        }
        let Some((from, to)) = range.split_once('-') else {
            let value = self.read_value(range)?;
            return if step.is_none() { Ok(bits(value, value, 1)) } else { self.no_range(part) };
        };
        let (from, to) = (self.read_value(from)?, self.read_value(to)?);
        if from <= to {
            return Ok(bits(from, to, step.unwrap_or(1)));
        }
        if self.is_week() {
            return Ok(bits(from, to + 7, step.unwrap_or(1)));
        }
        self.reversed(from, to)
    }

    /// `?` is an old way to say that the other day field counts.
    fn may_be_any(&self) -> bool {
        self.is_week() || self.high == DAY_OF_MONTH.high
    }

    fn read_step(&self, text: &str) -> Result<u32, Fault> {
        let step = match number(text) {
            Some(0) => return self.fault("a step of 0 never moves on; the least is 1"),
            Some(step) => step,
            None if text.is_empty() => return self.fault("there is no step behind the `/`"),
            None => return self.fault(format!("the step `{text}` is no number")),
        };
        let most = self.top() - self.low + 1;
        if step <= most {
            return Ok(step);
        }
        let says = format!("a step of {step} leaves the {}: {most} is the most", self.name);
        let spans = [('s', SECOND.name), ('m', MINUTE.name), ('h', HOUR.name)];
        match spans.into_iter().find(|(_, name)| *name == self.name) {
            Some((unit, _)) if step < 1_000_000 => {
                let help = format!("a longer span is `@every {step}{unit}`; {}", self.example);
                Err(Fault { says, help })
            }
            _ => self.fault(says),
        }
    }

    fn read_value(&self, text: &str) -> Result<u32, Fault> {
        if let Some(value) = number(text) {
            return self.in_range(text, value);
        }
        if let Some(place) = named(self.names, text) {
            return Ok(self.low + place);
        }
        self.unknown(text)
    }

    fn in_range(&self, text: &str, value: u32) -> Result<u32, Fault> {
        if (self.low..=self.high).contains(&value) {
            return Ok(value);
        }
        let also = if self.is_week() { " (0 and 7 are Sunday)" } else { "" };
        self.fault(format!("{text} is out of range, {} to {}{also}", self.low, self.high))
    }

    fn unknown<T>(&self, text: &str) -> Result<T, Fault> {
        let special = text.contains('#')
            || text.trim_matches(|c: char| c.is_ascii_digit()) == "L"
            || text.trim_matches(|c: char| c.is_ascii_digit()).ends_with('W');
        if special {
            return self.fault(format!("`{text}`: the signs L, W and # are not known here"));
        }
        if text.is_empty() {
            return self.fault("a number is missing");
        }
        let (Some(first), Some(last)) = (self.names.first(), self.names.last()) else {
            return self.fault(format!("`{text}` is no number"));
        };
        self.fault(format!("`{text}` is neither a number nor a name from {first} to {last}"))
    }

    fn no_range<T>(&self, part: &str) -> Result<T, Fault> {
        let (value, step) = part.split_once('/').unwrap_or((part, "1"));
        let help =
            format!("from {value} on it is `{value}-{}/{step}`; {}", self.top(), self.example);
        Err(Fault { says: format!("`{part}` has a step, but no range to step through"), help })
    }

    fn reversed<T>(&self, from: u32, to: u32) -> Result<T, Fault> {
        let says = format!("the range {from}-{to} goes backwards; only days of the week wrap");
        let help = format!(
            "around the end it is two ranges: `{from}-{},{}-{to}`; {}",
            self.high, self.low, self.example
        );
        Err(Fault { says, help })
    }
}

/// A number without sign; one that is too large for its type is out of every range too.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// A bit for each value of a range; `step` is at least 1.
fn bits(from: u32, to: u32, step: u32) -> u64 {
    (from..=to.min(63)).step_by(step.max(1) as usize).fold(0, |set, value| set | 1 << value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(field: &Field, text: &str) -> Vec<u32> {
        let set = field.read(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        (0..64).filter(|value| set >> value & 1 == 1).collect()
    }

    #[test]
    fn fields_are_read() {
        assert_eq!(values(&MINUTE, "*/20"), [0, 20, 40]);
        assert_eq!(values(&MINUTE, "5-59/15"), [5, 20, 35, 50]);
        assert_eq!(values(&MINUTE, "7,05,1-3"), [1, 2, 3, 5, 7]);
        assert_eq!(values(&MINUTE, "*/60"), [0]);
        assert_eq!(values(&HOUR, "*").len(), 24);
        assert_eq!(values(&DAY_OF_MONTH, "?").len(), 31);
        assert_eq!(values(&MONTH, "Feb,SEPT,december"), [2, 9, 12]);
        assert_eq!(values(&MONTH, "mar-may"), [3, 4, 5]);
    }

    #[test]
    fn the_week_wraps_and_has_two_sundays() {
        assert_eq!(values(&DAY_OF_WEEK, "5-1"), [0, 1, 5, 6]);
        assert_eq!(values(&DAY_OF_WEEK, "Fri-Mon"), [0, 1, 5, 6]);
        assert_eq!(values(&DAY_OF_WEEK, "0"), [0]);
        assert_eq!(values(&DAY_OF_WEEK, "7"), [0]);
        assert_eq!(values(&DAY_OF_WEEK, "5-7"), [0, 5, 6]);
        assert_eq!(values(&DAY_OF_WEEK, "0-7").len(), 7);
        assert_eq!(values(&DAY_OF_WEEK, "7-1"), [0, 1]);
        assert_eq!(values(&DAY_OF_WEEK, "7-0"), [0]);
        assert_eq!(values(&DAY_OF_WEEK, "*/2"), [0, 2, 4, 6]);
        assert_eq!(values(&DAY_OF_WEEK, "fri-mon/2"), [0, 5]);
    }

    #[test]
    fn three_letters_are_enough_and_too_many_are_wrong() {
        assert_eq!(weekday("Tues"), Some("tue"));
        assert_eq!(weekday("monday"), Some("mon"));
        for bad in ["mo", "monkey", "", "é"] {
            assert_eq!(weekday(bad), None, "{bad}");
        }
    }
}
