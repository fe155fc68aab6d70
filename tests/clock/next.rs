//! `schedule next`: a person sees when a cron expression fires, and what is wrong with a bad one.

use crate::support::program::{Ended, Place};
use serde_json::json;

fn ask(more: &[&str]) -> Ended {
    let place = Place::new();
    let ended = place.run(&[&["schedule", "next"], more].concat());
    assert!(!place.home().exists(), "asking made a home");
    ended
}

#[test]
fn clock_changes_are_told_in_words() {
    let amsterdam = ["--cron", "30 2 * * *", "--tz", "Europe/Amsterdam", "--count", "3"];
    let spring = ask(&[&amsterdam[..], &["--after", "2026-03-28"]].concat()).code(0).stdout;
    let lines: Vec<&str> = spring.lines().collect();
    assert_eq!(
        lines,
        [
            "30 2 * * * in Europe/Amsterdam",
            "Sat 2026-03-28T02:30:00  2026-03-28T01:30:00Z",
            "Sun 2026-03-29T02:30:00  2026-03-29T01:00:00Z  clock goes forward: fires at the first \
             moment after the gap",
            "Mon 2026-03-30T02:30:00  2026-03-30T00:30:00Z",
        ]
    );
    let autumn = ["--cron", "0 */1 25 10 *", "--tz", "Europe/Amsterdam", "--count", "5"];
    let autumn = ask(&[&autumn[..], &["--after", "2026-10-25T00:00"]].concat()).code(0).stdout;
    assert!(
        autumn.contains(
            "T02:00:00+02:00  2026-10-25T00:00:00Z  clock goes back: first of two passes\n"
        )
    );
    assert!(autumn.contains(
        "T02:00:00+01:00  2026-10-25T01:00:00Z  clock goes back: second of two passes\n"
    ));
    assert!(autumn.contains("T03:00:00+01:00  2026-10-25T02:00:00Z\n"), "{autumn}");
}

#[test]
fn the_report_is_an_array() {
    let report = ask(&[
        "--cron",
        "@daily",
        "--tz",
        "America/Santiago",
        "--after",
        "2026-09-05T12:00",
        "--count",
        "2",
        "--json",
    ]);
    assert_eq!(
        report.code(0).report(),
        json!([
            { "scheduled_for": "2026-09-06T00:00:00", "fire_at": "2026-09-06T04:00:00Z", "dst": "gap" },
            { "scheduled_for": "2026-09-07T00:00:00", "fire_at": "2026-09-07T03:00:00Z", "dst": null },
        ])
    );
}

#[test]
fn ten_from_now_on_unless_told_otherwise() {
    let ten = ask(&["--cron", "*/7 * * * *", "--json"]).code(0).report();
    assert_eq!(ten.as_array().map(Vec::len), Some(10));
    let leap = ["--cron", "0 0 29 2 *", "--tz", "UTC", "--after", "2091-01-01"];
    let leap = ask(&leap).code(0).stdout;
    assert!(leap.contains("2096-02-29T00:00:00  "), "{leap}");
    assert!(leap.ends_with("these are all: schedules end with the year 2100\n"), "{leap}");
    let none = ask(&["--cron", "@startup"]).code(0).stdout;
    assert!(none.contains("no time fires it"), "{none}");
}

#[test]
fn mistakes_are_pointed_at() {
    let field = ask(&["--cron", "30 2 * * 8"]).code(2);
    let expected = "error: day of week (field 5 of 5) `8`: 8 is out of range, 0 to 7 (0 and 7 are Sunday)\n\
                    \x20   30 2 * * 8\n\
                    \x20            ^\n\
                    \x20 → `30 2 * * mon-fri` is Monday to Friday at 02:30\n";
    assert_eq!(field.stderr, expected);
    ask(&["--cron", "0 0 30 2 *"])
        .code(2)
        .says("no such day ever comes")
        .says("0 0 30 2 *\n        ^^");
    ask(&["--cron", ""]).code(2).says("the cron expression is empty").says("`30 2 * * *`");
    ask(&["--cron", "30 2 * *"]).code(2).says("missing: day of week");
    ask(&["--cron", "-5 2 * * *"]).code(2).says("a number is missing");
    ask(&["--cron", "@dayly"]).code(2).says("`@dayly` is not known").says("@daily");
    let zone = ["--cron", "@daily", "--tz", "Europe/Amsterdm"];
    ask(&zone).code(2).says("no time zone `Europe/Amsterdm`").says("is it `Europe/Amsterdam`?");
    let time = ["--cron", "@daily", "--after", "tomorrow"];
    ask(&time).code(2).says("`tomorrow` is no time").says("2026-03-28T12:00");
    let report = ask(&["--cron", "61 * * * *", "--json"]).code(2).report();
    assert_eq!(report["error"]["reason"], "bad_schedule");
}
