//! `plan`: the steps, where a pipeline can be entered again, and what is stale and why.

use crate::support::fake_ollama::FakeOllama;
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;
use serde_json::Value;

fn digest(place: &Place, web: &FakeWeb, words: &str) -> Value {
    place.json(0, &["digest", &web.url("/sitemap.xml"), "--delay", "0s", "--words", words])
}

fn stale(place: &Place) -> Value {
    place.json(0, &["plan", "digest"])[0]["stale"].take()
}

#[test]
fn the_plan_shows_each_step_and_where_it_can_be_entered_again() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    digest(&place, &web, "60");
    let text = place.run(&["plan"]).code(0).stdout;
    for part in ["crawl@1", "recorded", "staged → digests", "increments forever", "none stale"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        text.matches("⟲ llm_summaries").count(),
        1,
        "two files of a dataset are one entry: {text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    place.run(&["plan", "news"]).code(2).says("it has: digest");
}

#[test]
fn the_plan_can_be_drawn() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    digest(&place, &web, "60");
    let dot = place.run(&["plan", "--dot"]).code(0).stdout;
    assert!(dot.starts_with("digraph ") && dot.trim_end().ends_with('}'), "{dot}");
    assert!(dot.contains("shape=cylinder, label=\"store\\ntable@1\\ndigests\""), "{dot}");
    assert!(dot.contains("p0s0 -> p0s1 [label=\"Page\"]"), "{dot}");
    place.run(&["plan", "--dot", "--json"]).code(2).says("no JSON");
}

#[test]
fn what_other_steps_did_is_stale_and_the_plan_says_why() {
    let (web, place) = (FakeWeb::start().site(3), Place::new());
    digest(&place, &web, "30");
    let none = stale(&place);
    assert_eq!((&none["items"], none["steps"].as_array().unwrap().len()), (&0.into(), 0), "{none}");
    assert!(none["of"].as_u64().unwrap() >= 3, "{none}");

    let second = digest(&place, &web, "80");
    assert_eq!(second["items"]["done"], 0, "they keep their answers: {second:#}");
    let configured = stale(&place);
    assert_eq!(configured["items"], none["of"], "{configured}");
    assert_eq!(configured["steps"][0]["step"], "summarise");
    assert_eq!(configured["steps"][0]["reason"], "configured");
    assert_eq!(place.json(0, &["status"])["pipelines"][0]["stale"], configured["items"]);
    let text = place.run(&["plan"]).code(0).stdout;
    assert!(text.contains("stale: ") && text.contains("the configuration changed"), "{text}");

    // As if an older program had done them, with another extractor.
    let ledger = rusqlite::Connection::open(place.home().join("tidemill.db")).unwrap();
    let older = r#"UPDATE tm_plans SET body = replace(body, '"name":"extract","version":1',
        '"name":"extract","version":7') WHERE plan_no = (SELECT min(plan_no) FROM tm_plans)"#;
    assert_eq!(ledger.execute(older, []).unwrap(), 1);
    drop(ledger);
    let text = place.run(&["plan"]).code(0).stdout;
    assert!(text.contains("done by version 7, now 1"), "{text}");
    let both = stale(&place);
    assert_eq!(both["items"], none["of"], "an item that is stale twice counts once: {both}");
}

#[test]
fn a_model_that_appears_makes_what_was_done_without_it_stale() {
    let (web, ollama) = (FakeWeb::start().site(3), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    ollama.go_away();
    digest(&place, &web, "60");
    ollama.come_back();
    let second = digest(&place, &web, "60");
    assert_eq!(second["items"]["done"], 0, "{second:#}");
    let stale = stale(&place);
    assert_eq!(stale["steps"][0]["reason"], "prepared", "{stale}");
    assert_eq!(stale["steps"][0]["since"], second["run"]);
}
