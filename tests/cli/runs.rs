//! `runs`: what ran, how far it came, and what it logged.

use crate::support::fake_ollama::FakeOllama;
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;

#[test]
fn runs_are_listed_shown_and_their_logs_kept() {
    let (web, place) = (FakeWeb::start().site(2).empty("/empty"), Place::new());
    let (map, empty) = (web.url("/sitemap.xml"), web.url("/empty"));
    let command = ["digest", &map, &empty, "--delay", "0s"];
    let first = place.json(1, &command);
    let second = place.json(0, &command);
    assert_eq!(super::ids(&place), [&second["run"], &first["run"]].map(|id| id.as_str().unwrap()));
    let one = place.json(0, &["runs", "ls", "digest", "--count", "1"]);
    assert_eq!(one.as_array().unwrap().len(), 1);

    let run = first["run"].as_str().unwrap();
    let shown = place.run(&["runs", "show", run]).code(0).stdout;
    for part in
        ["finished", "1 parked", "empty_page × 1", "p50", "summarise", "raw_scrapes: ", "changed"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let shown = place.json(0, &["runs", "show", run]);
    assert_eq!(shown["report"]["items"]["parked"], 1, "{shown:#}");
    let files = shown["files"].as_array().unwrap().iter();
    let mut datasets: Vec<_> = files.map(|file| file["dataset"].as_str().unwrap()).collect();
    datasets.sort_unstable();
    assert_eq!(datasets, ["llm_summaries", "logs", "raw_scrapes", "sqlite"]);

    let logs = place.run(&["runs", "logs", run]).code(0).stdout;
    for part in ["run begun", "item parked", "reason=empty_page", "publishing", "run ended"] {
        assert!(logs.contains(part), "{part} in {logs}");
    }
    let events = place.json(0, &["runs", "logs", run]);
    assert!(
        events.as_array().unwrap().iter().all(|event| event["timestamp"].is_string()),
        "{events}"
    );
    assert!(!logs.contains(second["run"].as_str().unwrap()), "each run has a log of its own");
}

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    place.run(&["digest", &web.url("/articles/1"), "--delay", "0s"]).code(0);
    let id = super::ids(&place).remove(0);
    for verb in ["show", "logs"] {
        place.run(&["runs", verb, "nothing"]).code(2).says(&id);
    }
    place.run(&["runs", "news"]).code(2).says("it has: digest");
    std::fs::remove_file(place.home().join("logs").join(format!("{id}.log"))).unwrap();
    place.run(&["runs", "logs", &id]).code(2).says("30 newest");
}

#[test]
fn a_killed_run_is_interrupted_and_its_next_attempt_is_counted() {
    let (web, ollama) = (FakeWeb::start().site(2), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let map = web.url("/sitemap.xml");
    let command = ["digest", &map, "--delay", "0s"];
    ollama.hold();
    let mut child = place.start(&command);
    ollama.wait_for_started(1);
    assert_eq!(place.json(0, &["runs"])[0]["state"], "running");
    child.kill().unwrap();
    child.wait().unwrap();

    assert_eq!(place.json(0, &["runs"])[0]["state"], "interrupted");
    let id = super::ids(&place).remove(0);
    let shown = place.run(&["runs", "show", &id]).code(0).stdout;
    assert!(shown.contains("· interrupted"), "{shown}");
    assert_eq!(place.json(0, &["status"])["at_work"].as_array().unwrap().len(), 0);
    place.run(&["rollback", &id]).code(2).says("nothing to take back");

    ollama.release_all();
    assert_eq!(place.json(0, &command)["resumed"], true);
    let line = place.run(&["runs"]).code(0).stdout;
    assert!(line.contains("finished") && line.contains("attempt 2"), "{line}");
    let logs = place.run(&["runs", "logs", &id]).code(0).stdout;
    assert_eq!(logs.matches("run begun").count(), 2, "both attempts are in its log: {logs}");
}
