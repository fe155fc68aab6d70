//! Wrong words: each is pointed at, nothing is remembered, and no home is made for it.

use super::{SOME_DAY, remember};
use crate::support::program::Place;

const PAGE: &str = "http://127.0.0.1:1/page";

/// What is wrong, and what is said about it.
const WRONG: &[(&[&str], &str)] = &[
    (&["--daily", "25:00"], "`25:00` is no time of day"),
    (&["--daily", "06:00", "--zone", "Nowhere"], "there is no time zone `Nowhere`"),
    (&["--cron", "0 0 30 2 *"], "day of month (field 3 of 5) `30`: no such day ever comes"),
    (&["--cron", "0 0 * *"], "4 fields"),
    (&["--cron", "@after news"], "the macro `@after` is not known"),
    (&["--daily", "06:00", "--every", "2h"], "'--daily <HH:MM>' cannot be used with '--every"),
    (&["--weekly", "someday 06:00"], "`someday` is no day of the week"),
    (&["--every", "0s"], "a second is the least"),
    (&["--zone", "UTC"], "--daily <HH:MM>|--weekly"),
    (&["--overlap", "queue"], "--daily <HH:MM>|--weekly"),
    (&["--daily", "06:00", "--catch-up", "sometimes"], "possible values: last, none, all"),
    (&["--daily", "06:00", "--name", "a b"], "`a b` cannot name a pipeline"),
    (&["--daily", "06:00", "--from", "nowhere.txt"], "nowhere.txt"),
    (&["--daily", "06:00", "--archive", "nowhere"], "was never made an archive"),
    (&["--daily", "06:00", "no address"], "`no address` is no address"),
    (&["--forget", "x"], "cannot be used with"),
];

#[test]
fn a_schedule_that_is_none_is_refused_and_no_home_is_made() {
    for (words, why) in WRONG {
        let place = Place::new();
        place.run(&[&["digest", PAGE], *words].concat()).code(2).says(why);
        assert!(!place.home().exists(), "{words:?} made the home");
    }
}

#[test]
fn nor_is_anything_changed_in_a_home_that_is_there() {
    let place = Place::new();
    remember(&place, "news", &[PAGE.into()], &SOME_DAY);
    let known = "SELECT pipeline || timing || anchor || gone FROM tm_schedules
                  UNION ALL SELECT pipeline || body || made_at FROM tm_jobs";
    let before = place.texts(known);
    for (words, why) in WRONG.iter().filter(|(words, _)| !words.contains(&"--name")) {
        place.run(&[&["digest", PAGE, "--name", "news"], *words].concat()).code(2).says(why);
    }
    place.run(&["digest", "--forget", "weather"]).code(2).says("remembers no job `weather`");
    place.run(&["schedule", "pause", "weather"]).code(2).says("`weather` has no schedule");
    place.run(&["run", "weather"]).code(2).says("the pipelines are: news");
    assert_eq!(place.texts(known), before);
}

#[test]
fn a_server_with_wrong_words_makes_no_home_either() {
    let wrong: &[(&[&str], &str)] = &[
        (&["--away-limit", "3w"], "write it as `15m`, `6h`, `90s`, `1d` or `1h30m`"),
        (&["--parked-limit", "few"], "--parked-limit"),
        (&["--listen", "nonsense"], "--listen"),
        (&["--listen", "0.0.0.0:0"], "others can reach 0.0.0.0:0"),
        (&["--listen-public"], "--listen <ADDRESS>"),
    ];
    for (words, why) in wrong {
        let place = Place::new();
        place.run(&[&["serve"], *words].concat()).code(2).says(why);
        assert!(!place.home().exists(), "{words:?} made the home");
    }
    for words in [&["digest", "--forget", "x"][..], &["digest", "--list"], &["schedule", "ls"]] {
        let place = Place::new();
        place.run(words).code(2).says("there is no mill in");
        assert!(!place.home().exists(), "{words:?} made the home");
    }
}

#[test]
fn an_address_with_a_password_is_not_written_down() {
    let place = Place::new();
    for address in ["http://user:s3cret@127.0.0.1:1/feed", "http://127.0.0.1:1/feed?token=s3cret"] {
        let refused = place.run(&["digest", address, "--daily", "06:00"]).code(2);
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
        refused.says("the address carries a secret");
        assert!(!place.home().exists(), "{address} made the home");
    }
}
