//! Killed in the middle of a run: the next server goes on with it at once, and nothing comes twice.

use super::child::Child;
use super::{AT_STARTUP, FIRINGS, PUBLISHED, SOME_DAY, held, pages, remember, serve, until};
use crate::support::program::Place;
use std::time::{Duration, Instant};

const STATE: &str = "SELECT state || ' ' || attempt FROM tm_runs ORDER BY run_no LIMIT 1";

#[test]
fn a_run_whose_server_was_killed_goes_on_within_two_seconds() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    let first = serve(&place, &[]);
    web.wait_for_hits("/articles/1", 1);
    until(&place, STATE, "running 1");
    let captured = place.texts("SELECT url FROM tm_fetch_urls WHERE outcome = 'fetched'");
    first.kill();
    assert_eq!(place.texts(PUBLISHED), ["0"]);

    let begun = Instant::now();
    let second = serve(&place, &[]);
    until(&place, STATE, "running 2");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    gate.open();
    until(&place, FIRINGS, "fired published finished 2");
    assert_eq!(place.count("SELECT count(*) FROM digests"), 2);
    assert_eq!(place.count("SELECT count(DISTINCT url) FROM digests"), 2);
    if captured == [web.url("/articles/2")] {
        assert_eq!(web.hits("/articles/2"), 1, "what was captured is not fetched again");
    }
    second.stop();
    place.run(&["verify"]).code(0);
    assert!(place.scratch().is_empty());
}

#[test]
fn a_run_that_was_asked_for_goes_on_too_and_who_asked_is_not_left_waiting() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &pages(&web), &SOME_DAY);
    let first = serve(&place, &[]);
    let asked = Child::start(place.command(&["run", "news"]));
    web.wait_for_hits("/articles/1", 1);
    until(&place, "SELECT CAST(count(note) AS TEXT) FROM tm_requests", "1");
    first.kill();
    asked.ended().code(2).says("ended before it answered");
    let second = serve(&place, &[]);
    until(&place, STATE, "running 2");
    gate.open();
    until(&place, STATE, "finished 2");
    assert_eq!(place.count("SELECT count(*) FROM tm_runs"), 1);
    second.stop();
}

#[test]
fn a_run_that_a_person_began_is_brought_to_its_end_by_the_server() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &pages(&web), &SOME_DAY);
    let by_hand = Child::start(place.command(&["run", "news"]));
    web.wait_for_hits("/articles/1", 1);
    by_hand.kill();
    let serving = serve(&place, &[]);
    until(&place, STATE, "running 2");
    gate.open();
    until(&place, STATE, "finished 2");
    serving.stop();
}

#[test]
fn a_run_that_takes_its_server_down_again_and_again_is_left_to_a_person() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    for attempt in 1..=7 {
        let serving = serve(&place, &[]);
        until(&place, STATE, &format!("running {attempt}"));
        serving.kill();
    }
    let serving = serve(&place, &[]);
    let left = "SELECT CAST(count(*) AS TEXT) FROM tm_firings
                 WHERE ended_at IS NOT NULL AND outcome LIKE '%7 times and never came to its end%'";
    until(&place, left, "1");
    assert_eq!(place.texts(STATE), ["interrupted 7"], "nobody begins it again");
    gate.open();
    assert_eq!(place.json(0, &["run", "news"])["resumed"], true);
    assert_eq!(place.texts(STATE), ["finished 8"]);
    serving.stop();
}
