//! One owner: a second server is refused; the first one stops in order, or at once.

use super::{AT_STARTUP, FIRINGS, PUBLISHED, SOME_DAY, asked, remember, serve, until};
use crate::support::program::Place;
use std::time::{Duration, Instant};

const STOPPING: &str = "stopping: what is in hand is finished";

#[test]
fn a_second_server_is_refused_at_once_and_told_who_is_the_first() {
    let place = Place::new();
    remember(&place, "idle", &["demo:".into()], &SOME_DAY);
    let first = serve(&place, &[]);
    let begun = Instant::now();
    let second = place.run(&["serve"]).code(75);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    second.says(&format!("is in use by process {}", first.id()));
    let ended = first.stop();
    assert!(ended.stdout.contains("stopped; what was in hand is remembered"), "{}", ended.stdout);
    serve(&place, &[]).stop();
}

#[test]
fn a_signal_lets_what_is_in_hand_end_and_the_next_server_goes_on() {
    let (_web, ollama, place) = asked(&AT_STARTUP);
    let first = serve(&place, &[]);
    ollama.wait_for_started(1);
    first.terminate();
    first.says(STOPPING);
    ollama.release_all();
    let ended = first.ended().code(0);
    assert!(ended.stdout.contains("stopped; what was in hand is remembered"), "{}", ended.stdout);
    assert_eq!(place.texts(PUBLISHED), ["0"]);

    let second = serve(&place, &[]);
    until(&place, FIRINGS, "fired published finished 2");
    assert_eq!(ollama.repeated().len(), 0, "what was in hand is remembered");
    assert_eq!(place.count("SELECT count(*) FROM digests"), 2);
    second.stop();
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let (_web, ollama, place) = asked(&AT_STARTUP);
    let first = serve(&place, &[]);
    ollama.wait_for_started(1);
    first.terminate();
    first.says(STOPPING);
    first.terminate();
    first.ended().code(0); // and the model has not answered yet
    assert_eq!(place.texts(PUBLISHED), ["0"]);
    ollama.release_all();
    let second = serve(&place, &[]);
    until(&place, FIRINGS, "fired published finished 2");
    second.stop();
}
