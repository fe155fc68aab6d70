//! Promise: a model is asked once per answer, and never silently replaced.

use crate::support::fake_ollama::{FakeOllama, TINY};
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;

fn digest(place: &Place, web: &FakeWeb, code: i32, more: &[&str]) -> serde_json::Value {
    let seed = web.url("/sitemap.xml");
    let mut arguments = vec!["digest", &seed, "--delay", "0s"];
    arguments.extend(more);
    place.json(code, &arguments)
}

#[test]
fn each_page_is_asked_once_and_the_row_names_the_model() {
    let (web, ollama) = (FakeWeb::start().site(5), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let first = digest(&place, &web, 0, &[]);
    let rows = place.count("SELECT count(*) FROM digests WHERE method = 'model'");
    assert_eq!(first["calls_made"].as_i64().unwrap(), rows, "{first}");
    assert_eq!(ollama.calls() as i64, rows);
    assert_eq!(ollama.truncated(), 0);
    let models =
        place.texts("SELECT DISTINCT model || ' ' || model_id FROM digests WHERE method = 'model'");
    assert_eq!(models, [format!("{TINY} {}", ollama.digest())]);
    digest(&place, &web, 0, &[]);
    assert_eq!(ollama.calls() as i64, rows, "unchanged pages are not asked again");
}

#[test]
fn a_model_that_is_away_makes_items_wait_and_never_an_extractive_row() {
    let (web, ollama) = (FakeWeb::start().site(4), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    digest(&place, &web, 0, &["--model", TINY]);
    let rows = place.count("SELECT count(*) FROM digests");
    ollama.go_away();
    web.grow(6);
    for _ in 0..2 {
        let away = digest(&place, &web, 0, &["--model", TINY]);
        assert_eq!(away["items"]["waiting"], 2, "two pages are new: {away}");
        assert_eq!(place.count("SELECT count(*) FROM digests"), rows);
    }
    assert_eq!(place.count("SELECT count(*) FROM digests WHERE method = 'extractive'"), 0);
    assert_eq!(place.json(0, &["status"])["pipelines"][0]["waiting"], 2);
    let (bodies, begun) = (web.bodies(), ollama.calls());
    ollama.come_back();
    let back = digest(&place, &web, 0, &["--model", TINY]);
    assert_eq!(
        (back["carried"].as_i64(), back["items"]["done"].as_i64()),
        (Some(2), Some(2)),
        "{back}"
    );
    assert_eq!(place.count("SELECT count(*) FROM digests"), rows + 2);
    assert_eq!(ollama.calls() - begun, 2);
    assert_eq!(web.bodies(), bodies, "what waited was fetched already");
}

#[test]
fn auto_stays_with_the_model_it_found() {
    let (web, ollama) = (FakeWeb::start().site(3), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    digest(&place, &web, 0, &[]);
    ollama.go_away();
    web.grow(4);
    let away = digest(&place, &web, 0, &[]);
    assert!(away["items"]["waiting"].as_i64().unwrap() > 0, "{away}");
    assert!(away["said"].to_string().contains("away"), "{away}");
    assert_eq!(place.count("SELECT count(*) FROM digests WHERE method = 'extractive'"), 0);
}

#[test]
fn a_model_that_the_server_does_not_have_is_refused_before_the_first_request() {
    let (web, ollama) = (FakeWeb::start().site(3), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let refused = digest(&place, &web, 2, &["--model", "nothing:7b"]);
    assert_eq!(refused["error"]["reason"], "model_missing", "{refused}");
    assert!(refused["error"]["help"].as_str().unwrap().contains("ollama pull nothing:7b"));
    assert_eq!(web.requests().len(), 0);
}

#[test]
fn a_stream_that_breaks_is_asked_again_and_nothing_is_cut() {
    let (web, ollama) = (FakeWeb::start().site(2), FakeOllama::start());
    ollama.chunk_bytes(3);
    ollama.busy_next(1);
    ollama.drop_next(1);
    let place = Place::new().with_ollama(&ollama.url());
    let report = digest(&place, &web, 0, &["--model", TINY]);
    assert_eq!(report["items"]["parked"], 0, "{report}");
    assert_eq!(place.count("SELECT count(*) FROM digests WHERE summary NOT LIKE 'Summary %'"), 0);
}
