//! What is said of a cron expression that cannot be one: which field, where it stands, what is right.

use super::cron::Cron;
use super::field::{Fault, Field};
use crate::Error;

/// Longer ones are no cron expressions.
pub(super) const LONGEST: usize = 200;

pub(super) const MACROS: &str = "@yearly (or @annually), @monthly, @weekly, @daily (or @midnight), \
     @hourly, @every 15m, @startup";

const FIVE: &str = "five fields are minute, hour, day of month, month, day of week, for instance \
     `30 2 * * *`: every day at 02:30";

const NAMES: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

fn wrong(message: String, help: impl Into<String>) -> Error {
    Error::halt(message).because("bad_schedule").help(help)
}

pub(super) fn empty() -> Error {
    wrong("the cron expression is empty".into(), FIVE)
}

pub(super) fn too_long(expression: &str) -> Error {
    let long = expression.chars().count();
    let message = format!("a cron expression of {long} characters is too long: {LONGEST} at most");
    wrong(message, FIVE)
}

pub(super) fn unknown_macro(word: &str) -> Error {
    wrong(
        format!("the macro `{word}` is not known"),
        format!("there are {MACROS}; `@every 15m` is one of them"),
    )
}

/// `@daily 5`: something behind a macro that takes nothing.
pub(super) fn more_than_macro(word: &str) -> Error {
    let help = format!("write `{word}` alone, or fields instead of it: {FIVE}");
    wrong(format!("behind the macro `{word}` stands something"), help)
}

/// Too few or too many fields.
pub(super) fn count(words: &[&str]) -> Error {
    let there = format!("`{}` has {}", words.join(" "), fields(words.len()));
    match words {
        [word] if is_macro_without_sign(word) => {
            let help = format!("with an @ it is a macro: `@{}`; {FIVE}", word.to_lowercase());
            wrong(format!("{there}, and five are needed"), help)
        }
        [] | [_] | [_, _] | [_, _, _] | [_, _, _, _] => too_few(&there, words),
        [first @ .., year] if words.len() == 7 && Cron::can_be_read(first) => {
            let message = format!(
                "{there}: second, minute, hour, day of month, month, day of week, \
                 and a seventh, `{year}`; years are not known here"
            );
            wrong(message, format!("leave the seventh away: `{}`; {FIVE}", first.join(" ")))
        }
        _ => {
            let message = format!("{there}: five are needed, or six with the second before them");
            wrong(message, format!("a command or a user has no place in it; {FIVE}"))
        }
    }
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field".into() } else { format!("{count} fields") }
}

fn is_macro_without_sign(word: &str) -> bool {
    let word = format!("@{}", word.to_lowercase());
    MACROS.split([' ', ',', '(', ')']).any(|name| name == word)
}

fn too_few(there: &str, words: &[&str]) -> Error {
    let named = NAMES.iter().zip(words).map(|(name, word)| format!("{name} `{word}`"));
    let missing = NAMES.get(words.len()..).unwrap_or_default().join(", ");
    let named = named.collect::<Vec<_>>().join(", ");
    wrong(format!("{there}, and five are needed: {named}; missing: {missing}"), FIVE)
}

/// A field that cannot be read, pointed at.
pub(super) fn field(words: &[&str], place: usize, field: &Field, fault: &Fault) -> Error {
    let word = words.get(place).copied().unwrap_or_default();
    let message = format!(
        "{} (field {} of {}) `{word}`: {}\n{}",
        field.name,
        place + 1,
        words.len(),
        fault.says,
        pointed(words, place)
    );
    wrong(message, format!("{}{}", fault.help, shifted(words)))
}

/// The expression, and under it a line that points at one field.
fn pointed(words: &[&str], place: usize) -> String {
    let before: usize = words.iter().take(place).map(|word| word.chars().count() + 1).sum();
    let width = words.get(place).map_or(1, |word| word.chars().count());
    format!("    {}\n    {}{}", words.join(" "), " ".repeat(before), "^".repeat(width))
}

/// Six fields of which five make sense: the sixth may be no field of time.
fn shifted(words: &[&str]) -> String {
    let [first, rest @ ..] = words else { return String::new() };
    if words.len() != 6 {
        return String::new();
    }
    if Cron::can_be_read(rest) {
        let alone = rest.join(" ");
        return format!(
            "; of six fields the first is the second, here `{first}`: without it, \
             `{alone}` is read from the minute on"
        );
    }
    match words.split_last() {
        Some((last, fore)) if Cron::can_be_read(fore) => {
            let alone = fore.join(" ");
            format!(
                "; of six fields the first is the second: without `{last}`, `{alone}` is read \
                 from the minute on"
            )
        }
        _ => String::new(),
    }
}
