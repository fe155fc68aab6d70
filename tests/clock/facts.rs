//! Facts about single days that were looked up, not computed here.

use super::{at, firings, zone};
use chrono::{DateTime, Datelike, Utc, Weekday};
use tidemill_pipeline::clock::{Dst, Firing, Schedule};

fn cron(expression: &str) -> Schedule {
    Schedule::cron(expression).unwrap_or_else(|error| panic!("{error:?}"))
}

fn next(expression: &str, place: &str, after: &str) -> Firing {
    cron(expression).next(at(after), zone(place), at(after)).unwrap()
}

/// The nominal time, the instant and the mark of the next firing.
fn told(
    expression: &str,
    place: &str,
    after: &str,
) -> (String, DateTime<Utc>, Option<&'static str>) {
    let firing = next(expression, place, after);
    let mark = firing.mark(zone(place)).map(Dst::as_str);
    (firing.scheduled_for.to_string(), firing.fire_at, mark)
}

/// The local times of the firings between two instants, with their offsets where they are told.
fn list(expression: &str, place: &str, from: &str, until: &str) -> Vec<String> {
    let schedule = cron(expression);
    let fired = firings(&schedule, zone(place), at(from), at(until));
    fired.map(|firing| firing.scheduled_for.to_string()).collect()
}

#[test]
fn a_fixed_time_in_a_gap_fires_at_the_first_moment_after_it() {
    for (expression, place, after, nominal, instant) in [
        (
            "30 2 * * *",
            "Europe/Amsterdam",
            "2026-03-28T12:00:00Z",
            "2026-03-29T02:30:00",
            "2026-03-29T01:00:00Z",
        ),
        (
            "@daily",
            "America/Santiago",
            "2026-09-05T12:00:00Z",
            "2026-09-06T00:00:00",
            "2026-09-06T04:00:00Z",
        ),
        // Half an hour: from 02:00 to 02:30.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "2026-10-04T02:15:00",
            "2026-10-03T15:30:00Z",
        ),
        // Two hours: from 01:00 to 03:00.
        (
            "30 1 * * *",
            "Antarctica/Troll",
            "2026-03-28T12:00:00Z",
            "2026-03-29T01:30:00",
            "2026-03-29T01:00:00Z",
        ),
        // A whole day: Samoa had no 30 December.
        (
            "30 2 * * *",
            "Pacific/Apia",
            "2011-12-29T13:00:00Z",
            "2011-12-30T02:30:00",
            "2011-12-30T10:00:00Z",
        ),
        // The last hour of a day.
        (
            "59 23 * * *",
            "America/Nuuk",
            "2026-03-28T12:00:00Z",
            "2026-03-28T23:59:00",
            "2026-03-29T01:00:00Z",
        ),
    ] {
        let expected = (nominal.to_string(), at(instant), Some("gap"));
        assert_eq!(told(expression, place, after), expected, "{expression} in {place}");
    }
}

#[test]
fn a_fixed_time_that_comes_twice_fires_in_its_first_pass_only() {
    for (expression, place, after, nominal, instant, following) in [
        (
            "30 2 * * *",
            "Europe/Amsterdam",
            "2026-10-24T12:00:00Z",
            "2026-10-25T02:30:00",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            "2026-04-05T01:45:00",
            "2026-04-04T14:45:00Z",
            "2026-04-05T15:15:00Z",
        ),
        // Ireland's winter time is the one that differs: the clock goes as in London all the same.
        (
            "30 1 * * *",
            "Europe/Dublin",
            "2026-10-24T12:00:00Z",
            "2026-10-25T01:30:00",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ),
        // Morocco goes back for Ramadan.
        (
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-02-14T12:00:00Z",
            "2026-02-15T02:30:00",
            "2026-02-15T01:30:00Z",
            "2026-02-16T02:30:00Z",
        ),
    ] {
        let expected = (nominal.to_string(), at(instant), Some("first"));
        assert_eq!(told(expression, place, after), expected, "{expression} in {place}");
        assert_eq!(next(expression, place, instant).fire_at, at(following), "{place}");
    }
}

#[test]
fn asked_in_the_second_pass_it_does_not_answer_with_the_first() {
    // 02:10 for the second time: 02:30 was 40 minutes ago.
    let asked = "2026-10-25T01:10:00Z";
    let fixed = told("30 2 * * *", "Europe/Amsterdam", asked);
    assert_eq!(fixed, ("2026-10-26T02:30:00".into(), at("2026-10-26T01:30:00Z"), None));
    let wildcard = told("*/30 * * * *", "Europe/Amsterdam", asked);
    let half_past = "2026-10-25T02:30:00+01:00".to_string();
    assert_eq!(wildcard, (half_past, at("2026-10-25T01:30:00Z"), Some("second")));
}

#[test]
fn several_times_in_one_gap_fire_once_and_under_the_first_name() {
    let day = ["2026-03-28T22:00:00Z", "2026-03-29T22:00:00Z"];
    let fired = list("0,30 1-3 * * *", "Europe/Amsterdam", day[0], day[1]);
    let expected = ["01:00", "01:30", "02:00", "03:30"].map(|t| format!("2026-03-29T{t}:00"));
    assert_eq!(fired, expected, "02:00, 02:30 and 03:00 are one moment");
}

#[test]
fn a_wildcard_follows_the_clock() {
    let gap =
        list("*/30 * * * *", "Europe/Amsterdam", "2026-03-29T00:00:00Z", "2026-03-29T01:45:00Z");
    let expected = ["01:30:00+01:00", "03:00:00+02:00", "03:30:00+02:00"];
    assert_eq!(gap, expected.map(|t| format!("2026-03-29T{t}")));
    let twice =
        list("*/30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
    let expected = ["02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00"];
    assert_eq!(twice, expected.map(|t| format!("2026-10-25T{t}")));
}

#[test]
fn two_changes_within_a_week_are_both_seen() {
    // Gaza, October 2040: forward on the 20th after Ramadan, back on the 27th; the offset before the
    // two is the one behind them.
    let fired = list("*/30 1 27 10 *", "Asia/Gaza", "2040-10-19T23:30:00Z", "2041-01-01T00:00:00Z");
    let expected = ["01:00:00+03:00", "01:30:00+03:00", "01:00:00+02:00", "01:30:00+02:00"];
    assert_eq!(fired, expected.map(|t| format!("2040-10-27T{t}")));
}

#[test]
fn weekdays_are_numbered_as_in_a_crontab() {
    let day = |expression: &str| {
        next(expression, "Europe/Amsterdam", "2026-05-06T12:00:00Z").scheduled_for.date().weekday()
    };
    assert_eq!(day("30 2 * * 1"), Weekday::Mon);
    assert_eq!(day("30 2 * * 0"), Weekday::Sun);
    assert_eq!(day("30 2 * * 7"), Weekday::Sun);
    assert_eq!(day("30 2 * * SAT"), Weekday::Sat);
    assert_eq!(day("@weekly"), Weekday::Sun);
    let dates = |expression: &str| -> Vec<u32> {
        let month = ["2026-05-31T12:00:00Z", "2026-06-15T12:00:00Z"].map(at);
        let schedule = cron(expression);
        let fired = firings(&schedule, zone("UTC"), month[0], month[1]);
        fired.map(|firing| firing.scheduled_for.date().day()).collect()
    };
    // June 2026 begins on a Monday.
    assert_eq!(dates("30 2 * * 5-1"), [1, 5, 6, 7, 8, 12, 13, 14, 15], "Friday to Monday");
    assert_eq!(dates("30 2 4 * Mon"), [1, 4, 8, 15], "the 4th or a Monday");
    assert_eq!(dates("30 2 */2 * mon"), [1, 15], "begins with *: a Monday that is an odd day");
    assert_eq!(dates("30 2 ? * wed"), [3, 10]);
    assert_eq!(dates("30 2 30 6 mon"), [1, 8, 15]);
    assert_eq!(dates("30 2 31 6 mon"), [1, 8, 15], "the half that never comes does no harm");
}

#[test]
fn six_fields_begin_with_the_second() {
    let fired = list("*/20 30 2 * * *", "UTC", "2026-05-06T00:00:00Z", "2026-05-07T00:00:00Z");
    let expected = ["00", "20", "40"].map(|s| format!("2026-05-06T02:30:{s}+00:00"));
    assert_eq!(fired, expected);
    // The last second that comes twice.
    let marks = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]
        .map(|after| told("59 59 * * * *", "Europe/Amsterdam", after))
        .map(|(nominal, _, mark)| (nominal[11..19].to_string(), mark));
    let [twice, last] = ["02:59:59", "03:59:59"].map(str::to_string);
    assert_eq!(marks, [(twice.clone(), Some("first")), (twice, Some("second")), (last, None)]);
    // All seconds of two hours are times of day all the same, and none of them comes twice.
    let all = "0-59 0-59 1-2 * * *";
    let fired = list(all, "Europe/Amsterdam", "2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z");
    assert_eq!(fired.len(), 2 * 3600);
}

#[test]
fn rare_dates_are_found_and_ends_are_ends() {
    let leap = told("0 0 29 2 *", "Europe/Amsterdam", "2026-05-06T00:00:00Z");
    assert_eq!(leap.0, "2028-02-29T00:00:00");
    let sunday = told("*/5 * 29 2 */7", "Asia/Gaza", "2026-05-06T00:00:00Z");
    assert_eq!(sunday.0, "2032-02-29T00:00:00+02:00", "the next one on a Sunday");
    let none = cron("0 0 29 2 *").next(
        at("2096-03-01T00:00:00Z"),
        zone("UTC"),
        at("2026-01-01T00:00:00Z"),
    );
    assert_eq!(none, None, "2100 is no leap year, and 2100 is the last");
}

#[test]
fn spans_are_counted_from_the_anchor_in_real_time() {
    let schedule = Schedule::every("6h").unwrap();
    let (place, anchor) = (zone("Europe/Amsterdam"), at("2026-10-24T10:00:00.5Z"));
    let mut after = anchor;
    let mut told = Vec::new();
    for _ in 0..4 {
        let firing = schedule.next(after, place, anchor).unwrap();
        after = firing.fire_at;
        told.push(firing.scheduled_for.to_string());
    }
    let expected = [
        "2026-10-24T18:00:00+02:00",
        "2026-10-25T00:00:00+02:00",
        "2026-10-25T05:00:00+01:00",
        "2026-10-25T11:00:00+01:00",
    ];
    assert_eq!(told, expected);
    let later = schedule.next(at("2026-12-01T11:59:59Z"), place, anchor).unwrap();
    assert_eq!(later.fire_at, at("2026-12-01T16:00:00Z"), "no anchor is needed to be near");
    let earlier = schedule.next(at("2026-01-01T00:00:00Z"), place, anchor).unwrap();
    assert_eq!(earlier.fire_at, at("2026-10-24T16:00:00Z"), "none before the schedule was there");
}

#[test]
fn a_local_time_is_the_first_instant_that_shows_it() {
    for (place, local, instant) in [
        ("Europe/Amsterdam", "2026-05-06T12:00:00", "2026-05-06T10:00:00Z"),
        ("Europe/Amsterdam", "2026-03-29T02:30:00", "2026-03-29T01:00:00Z"),
        ("Europe/Amsterdam", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        ("Europe/Amsterdam", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
        ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
        ("Pacific/Kiritimati", "2026-05-06T12:00:00", "2026-05-05T22:00:00Z"),
    ] {
        let instant = Some(at(instant));
        assert_eq!(zone(place).instant(local.parse().unwrap()), instant, "{local} in {place}");
    }
}

#[test]
fn every_kind_is_read_back_from_its_text() {
    for text in [
        "daily 06:00",
        "weekly mon 06:00",
        "every 6h",
        "every 1h30m",
        "30 2 * * *",
        "*/20 30 2 1,15 jan-mar *",
        "@daily",
        "at startup",
        "after news",
    ] {
        let schedule = Schedule::parse(text).unwrap();
        assert_eq!(schedule.text(), text);
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
    }
    let same = [
        (Schedule::daily("6:00"), "daily 06:00"),
        (Schedule::weekly("Monday 6:05"), "weekly mon 06:05"),
        (Schedule::every("1H 30M"), "every 1h30m"),
        (Schedule::cron(" 30\t2 * *  * "), "30 2 * * *"),
        (Schedule::cron("@every 15m"), "every 15m"),
        (Schedule::cron("@startup"), "at startup"),
    ];
    for (schedule, text) in same {
        assert_eq!(schedule.unwrap(), Schedule::parse(text).unwrap(), "{text}");
    }
    let (after, startup) = (Schedule::after("news"), Schedule::startup());
    assert_eq!((after.upstream(), after.is_startup()), (Some("news"), false));
    assert_eq!((startup.upstream(), startup.is_startup()), (None, true));
    for schedule in [after, startup] {
        assert_eq!(
            schedule.next(at("2026-01-01T00:00:00Z"), zone("UTC"), at("2026-01-01T00:00:00Z")),
            None
        );
    }
}
