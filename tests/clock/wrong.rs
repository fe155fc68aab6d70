//! Bad schedules: the message says which field, points at it, and the help shows a right one.

use super::dice::Dice;
use tidemill_pipeline::clock::Schedule;
use tidemill_pipeline::{Error, Verdict};

fn refused(expression: &str) -> Error {
    match Schedule::cron(expression) {
        Ok(schedule) => panic!("`{expression}` was taken as {schedule:?}"),
        Err(error) => error,
    }
}

/// Whether the help shows something in backticks that would be taken.
fn shows_a_right_one(error: &Error) -> bool {
    let help = error.guidance().unwrap_or_default();
    let mut quoted = help.split('`').skip(1).step_by(2);
    let kinds = [Schedule::parse, Schedule::weekly, Schedule::every];
    quoted.any(|text| kinds.iter().any(|kind| kind(text).is_ok()))
}

/// What the line of carets stands under.
fn pointed_at(error: &Error) -> String {
    let message = error.message();
    let lines: Vec<&str> = message.lines().collect();
    let [_, expression, carets] = lines.as_slice() else { panic!("no carets: {message}") };
    let under = expression.chars().zip(carets.chars().chain(std::iter::repeat(' ')));
    under.filter(|(_, caret)| *caret == '^').map(|(c, _)| c).collect()
}

#[test]
fn a_bad_field_is_named_quoted_and_pointed_at() {
    for (expression, field, word, says) in [
        ("61 2 * * *", "minute (field 1 of 5)", "61", "61 is out of range, 0 to 59"),
        ("0 25 * * *", "hour (field 2 of 5)", "25", "25 is out of range, 0 to 23"),
        ("0 2 32 * *", "day of month (field 3 of 5)", "32", "32 is out of range, 1 to 31"),
        ("0 2 0 * *", "day of month (field 3 of 5)", "0", "0 is out of range, 1 to 31"),
        ("0 2 * 13 *", "month (field 4 of 5)", "13", "13 is out of range, 1 to 12"),
        ("0 2 * * 8", "day of week (field 5 of 5)", "8", "0 to 7 (0 and 7 are Sunday)"),
        ("60 0 2 * * *", "second (field 1 of 6)", "60", "60 is out of range, 0 to 59"),
        ("0 0,30,75 2 * * *", "minute (field 2 of 6)", "0,30,75", "75 is out of range"),
        (
            "99999999999999999999 2 * * *",
            "minute (field 1 of 5)",
            "99999999999999999999",
            "out of range",
        ),
        ("*/0 * * * *", "minute (field 1 of 5)", "*/0", "a step of 0 never moves on"),
        ("0 */x * * *", "hour (field 2 of 5)", "*/x", "the step `x` is no number"),
        ("0 */ * * *", "hour (field 2 of 5)", "*/", "there is no step behind the `/`"),
        (
            "*/90 * * * *",
            "minute (field 1 of 5)",
            "*/90",
            "a step of 90 leaves the minute: 60 is the most",
        ),
        ("0/15 * * * *", "minute (field 1 of 5)", "0/15", "has a step, but no range"),
        (
            "0 2 * * funday",
            "day of week (field 5 of 5)",
            "funday",
            "nor a name from sunday to saturday",
        ),
        (
            "0 2 * brumaire *",
            "month (field 4 of 5)",
            "brumaire",
            "nor a name from january to december",
        ),
        ("0 two * * *", "hour (field 2 of 5)", "two", "`two` is no number"),
        ("0 2 * * mon-", "day of week (field 5 of 5)", "mon-", "a number is missing"),
        ("0 -2 * * *", "hour (field 2 of 5)", "-2", "a number is missing"),
        ("1,,2 2 * * *", "minute (field 1 of 5)", "1,,2", "nothing beside a comma"),
        ("1-2-3 2 * * *", "minute (field 1 of 5)", "1-2-3", "`2-3` is no number"),
        ("? 2 * * *", "minute (field 1 of 5)", "?", "`?` is no number"),
        ("0 2 L * *", "day of month (field 3 of 5)", "L", "L, W and # are not known"),
        ("0 2 15W * *", "day of month (field 3 of 5)", "15W", "L, W and # are not known"),
        ("0 2 * * fri#1", "day of week (field 5 of 5)", "fri#1", "L, W and # are not known"),
        ("50-10 2 * * *", "minute (field 1 of 5)", "50-10", "the range 50-10 goes backwards"),
        ("0 22-6 * * *", "hour (field 2 of 5)", "22-6", "the range 22-6 goes backwards"),
        ("0 2 * nov-feb *", "month (field 4 of 5)", "nov-feb", "the range 11-2 goes backwards"),
        ("0 0 30 2 *", "day of month (field 3 of 5)", "30", "no such day ever comes in month `2`"),
        (
            "0 0 31 4,jun *",
            "day of month (field 3 of 5)",
            "31",
            "no such day ever comes in month `4,jun`",
        ),
        ("0 0 30-31 feb */2", "day of month (field 3 of 5)", "30-31", "no such day ever comes"),
        ("0 2 é * *", "day of month (field 3 of 5)", "é", "`é` is no number"),
    ] {
        let error = refused(expression);
        let message = error.message();
        assert!(message.starts_with(&format!("{field} `{word}`: ")), "{message}");
        assert!(message.contains(says), "{message}");
        assert_eq!(pointed_at(&error), word, "{message}");
        assert!(shows_a_right_one(&error), "{error:?}");
        assert_eq!((error.reason(), error.verdict()), ("bad_schedule", Verdict::Halt));
    }
}

#[test]
fn other_mistakes_are_told_apart() {
    for (expression, says, helps) in [
        ("", "the cron expression is empty", "minute, hour, day of month, month, day of week"),
        (" \t ", "the cron expression is empty", "`30 2 * * *`"),
        ("30 2 * *", "4 fields, and five are needed: minute `30`, hour `2`", "`30 2 * * *`"),
        ("30 2 * *", "missing: day of week", "`30 2 * * *`"),
        ("30", "has 1 field, and five are needed: minute `30`; missing: hour,", "`30 2 * * *`"),
        ("Hourly", "has 1 field", "with an @ it is a macro: `@hourly`"),
        ("0 30 2 * * * 2026", "a seventh, `2026`; years are not known", "`0 30 2 * * *`"),
        (
            "30 2 * * * run the mill",
            "has 8 fields: five are needed",
            "a command or a user has no place",
        ),
        ("30 2 * * * root", "day of week (field 6 of 6) `root`", "without `root`, `30 2 * * *`"),
        ("75 30 2 * * *", "second (field 1 of 6)", "without it, `30 2 * * *`"),
        (
            "@fortnightly",
            "the macro `@fortnightly` is not known",
            "@yearly (or @annually), @monthly",
        ),
        ("@", "the macro `@` is not known", "`@every 15m`"),
        ("@daily 5", "behind the macro `@daily` stands something", "`@daily`"),
        ("@startup now", "behind the macro `@startup`", "`30 2 * * *`"),
        ("@every", "`` is no span of time", "`15m`"),
        ("@every 0s", "every `0s` is too often", "`15m`"),
        ("@every 5 minutes", "is no span of time", "`15m`"),
    ] {
        let error = refused(expression);
        assert!(error.message().contains(says), "{expression}: {error:?}");
        assert!(error.guidance().unwrap().contains(helps), "{expression}: {error:?}");
        assert_eq!((error.reason(), error.verdict()), ("bad_schedule", Verdict::Halt));
    }
    let long = refused(&"0 ".repeat(500));
    assert!(long.message().contains("1000 characters is too long"), "{long:?}");
}

#[test]
fn the_other_kinds_say_what_is_right_too() {
    for (text, says) in [
        ("daily 25:00", "`25:00` is no time of day"),
        ("daily", "`` is no time of day"),
        ("weekly 06:00", "`06:00` is no day and time of a week"),
        ("weekly moonday 06:00", "`moonday` is no day of the week"),
        ("weekly mon 6am", "`6am` is no time of day"),
        ("every", "`` is no span of time"),
        ("every 400d", "`400d` is too long"),
        ("after", "after which pipeline?"),
        ("at noon", "has 2 fields"),
    ] {
        let error = Schedule::parse(text).unwrap_err();
        assert!(error.message().contains(says), "{text}: {error:?}");
        assert_eq!(error.reason(), "bad_schedule");
        let help = error.guidance().unwrap();
        assert!(help.contains("06:00") || shows_a_right_one(&error), "{text}: {error:?}");
    }
}

#[test]
fn no_text_makes_it_panic_and_what_is_taken_can_be_read_back() {
    const PIECES: [&str; 40] = [
        "*",
        "?",
        "/",
        "-",
        ",",
        " ",
        " ",
        " ",
        " ",
        "0",
        "1",
        "5",
        "9",
        "12",
        "31",
        "59",
        "60",
        "99999999999",
        "mon",
        "SUN",
        "feb",
        "@",
        "@every",
        "@daily",
        "L",
        "W",
        "#",
        "é",
        "\u{0}",
        "\n",
        "７",
        "h",
        "m",
        "s",
        "d",
        ":",
        "every",
        "weekly",
        "after",
        "𝟙",
    ];
    let after = super::at("2026-03-28T12:00:00Z");
    let zone = super::zone("Europe/Amsterdam");
    let mut dice = Dice(1);
    let mut taken = 0;
    for _ in 0..60_000 {
        let pieces = dice.of(0, 12);
        let text: String = (0..pieces).map(|_| *dice.pick(&PIECES)).collect();
        match Schedule::parse(&text) {
            Ok(schedule) => {
                taken += 1;
                assert_eq!(Schedule::parse(schedule.text()).unwrap(), schedule, "{text:?}");
                let firing = schedule.next(after, zone, after);
                assert!(firing.is_none_or(|firing| firing.fire_at > after), "{text:?}");
            }
            Err(error) => {
                assert_eq!(error.reason(), "bad_schedule", "{text:?}: {error:?}");
                assert!(error.guidance().is_some(), "{text:?}: {error:?}");
            }
        }
    }
    assert!(taken > 100, "{taken} were taken");
}
