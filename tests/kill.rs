//! Promise: killed at any moment and started again, nothing is lost, doubled or paid twice.

use crate::support::fake_ollama::{FakeOllama, TINY};
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;
use std::time::Duration;

#[test]
fn a_run_killed_in_the_middle_of_the_model_stage_goes_on_where_it_was() {
    let (web, ollama) = (FakeWeb::start().site(12), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let seed = web.url("/sitemap.xml");
    let command = ["digest", &seed, "--delay", "0s", "--model", TINY];

    ollama.hold();
    let mut child = place.start(&command);
    ollama.release(5);
    ollama.wait_for_calls(5);
    // The sixth call is held by the server, so the first five were received; those whose answer is
    // in the ledger must not be asked again.
    ollama.wait_for_started(6);
    child.kill().unwrap();
    child.wait().unwrap();
    let received = place.count("SELECT count(*) FROM tm_calls");
    let captured = place.texts("SELECT url FROM tm_fetch_urls WHERE outcome = 'fetched'");
    let hits: Vec<_> = captured.iter().map(|url| web.hits(&path(url))).collect();
    assert!(received >= 1, "the kill came in the middle");
    assert_eq!(published(&place), 0, "nothing is published yet");

    ollama.release_all();
    let report = place.json(0, &command);
    assert_eq!(report["resumed"], true, "{report}");
    assert_eq!(report["items"]["parked"], 0);
    let rows = place.count("SELECT count(*) FROM digests");
    assert_eq!(rows, place.count("SELECT count(DISTINCT url) FROM digests"));
    assert!(rows >= 12, "{report}");
    assert_eq!(report["calls_made"].as_i64().unwrap() + received, rows, "no answer is paid twice");
    let again: Vec<_> = captured.iter().map(|url| web.hits(&path(url))).collect();
    assert_eq!(again, hits, "no page that was captured is fetched again");
    place.run(&["verify"]).code(0);
    assert_eq!(place.scratch().len(), 0);
}

#[test]
fn runs_killed_again_and_again_end_like_an_unbroken_one() {
    let (web, ollama) = (FakeWeb::start().site(8), FakeOllama::start());
    let seed = web.url("/sitemap.xml");
    let command = ["digest", &seed, "--delay", "0s", "--model", TINY];
    let whole = Place::new().with_ollama(&ollama.url());
    whole.run(&command).code(0);
    let expected = rows(&whole);

    let place = Place::new().with_ollama(&ollama.url());
    for _ in 0..6 {
        ollama.hold();
        let begun = ollama.calls();
        let mut child = place.start(&command);
        ollama.release(1);
        ollama.wait_for_calls(begun + 1);
        child.kill().unwrap();
        child.wait().unwrap();
        ollama.release_all();
    }
    place.json(0, &command);
    assert_eq!(rows(&place), expected);
    place.run(&["verify"]).code(0);
}

#[test]
fn runs_killed_at_any_moment_lose_and_double_nothing() {
    let web = FakeWeb::start().site(25);
    let seed = web.url("/sitemap.xml");
    let command = ["digest", &seed, "--delay", "0s"];
    let whole = Place::new();
    whole.run(&command).code(0);

    let place = Place::new();
    // From the first write to the last move: a run of this size takes about the longest pause.
    for pause in (20..600).step_by(25) {
        let mut child = place.start(&command);
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = place.json(0, &command);
    assert_eq!(last["offload"]["state"], "done", "{last:#}");
    assert_eq!(rows(&place), rows(&whole));
    assert_eq!(place.scratch(), Vec::<std::path::PathBuf>::new());
    assert_eq!(place.count("SELECT count(*) FROM tm_offloads WHERE state <> 'done'"), 0);
    assert_eq!(place.count("SELECT count(*) FROM tm_spool"), 0);
    assert_eq!(place.count("SELECT count(*) FROM tm_staged_digests"), 0);
    place.run(&["verify"]).code(0);
}

#[test]
fn an_interrupt_ends_the_run_in_order_and_the_same_command_goes_on() {
    let (web, ollama) = (FakeWeb::start().site(6), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let seed = web.url("/sitemap.xml");
    let command = ["digest", &seed, "--delay", "0s", "--model", TINY];
    ollama.hold();
    let mut child = place.start(&command);
    ollama.wait_for_started(1);
    terminate(&child);
    ollama.release_all();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(published(&place), 0);
    let report = place.json(0, &command);
    assert_eq!(report["resumed"], true, "{report}");
    assert_eq!(ollama.repeated().len(), 0, "what was in hand was finished and remembered");
}

fn terminate(child: &std::process::Child) {
    let kill = std::process::Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
}

fn published(place: &Place) -> i64 {
    place.count("SELECT count(*) FROM tm_runs WHERE state IN ('published', 'finished')")
}

fn rows(place: &Place) -> Vec<String> {
    place.texts("SELECT url || title || summary || method FROM digests ORDER BY url")
}

fn path(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    rest.find('/').map_or("/", |at| &rest[at..]).to_string()
}
