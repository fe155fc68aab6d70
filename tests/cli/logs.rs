//! Logs: each run's in the home and in the archive, and on stderr as a collector wants them.

use crate::support::fake_web::FakeWeb;
use crate::support::program::{Place, files_like};
use serde_json::Value;
use std::path::PathBuf;

/// Each line of a text as an event, and its message.
fn events(text: &str) -> Vec<(Value, String)> {
    let parsed = text.lines().map(|line| match serde_json::from_str::<Value>(line) {
        Ok(event) => {
            let message = event["message"].as_str().unwrap_or_default().to_string();
            (event, message)
        }
        Err(error) => panic!("`{line}` is no JSON: {error}"),
    });
    parsed.collect()
}

fn archived(place: &Place) -> Vec<PathBuf> {
    files_like(&place.archive().join("logs"), "run.log")
}

#[test]
fn the_log_is_archived_as_far_as_the_publish() {
    let place = Place::new();
    let first = place.json(0, &["demo"]);
    let own = place.home().join("logs").join(format!("{}.log", first["run"].as_str().unwrap()));
    let copies = archived(&place);
    let [copy] = copies.as_slice() else { panic!("one log for one run: {copies:?}") };
    assert!(copy.to_string_lossy().contains(first["run"].as_str().unwrap()), "{copies:?}");
    let manifest = copy.with_file_name("_MANIFEST.json");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains("\"run.log\""), "{manifest}");

    let (own, copy) = (std::fs::read(own).unwrap(), std::fs::read(copy).unwrap());
    assert!(own.len() > copy.len() && own.starts_with(&copy), "what came later is at home only");
    let said: Vec<_> = events(std::str::from_utf8(&copy).unwrap());
    let said: Vec<_> = said.into_iter().map(|(_, message)| message).collect();
    assert!(said.contains(&"run begun".to_string()), "{said:?}");
    assert_eq!(said.last().unwrap(), "publishing", "{said:?}");
    assert_eq!(place.json(0, &["verify"])[0]["sound"], true);

    // It ages as every dataset of increments does.
    let kept = place.json(0, &["prune", "--dry-run"]);
    let kept = kept["decisions"].as_array().unwrap().clone();
    let reasons = |dataset: &str| -> Vec<Value> {
        let of = kept.iter().filter(|line| line["dataset"] == dataset);
        of.map(|line| line["reasons"].clone()).collect()
    };
    assert_eq!(reasons("logs").len(), 1, "{kept:?}");
    assert_eq!(reasons("logs"), reasons("llm_summaries"), "{kept:?}");
}

#[test]
fn logs_on_stderr_are_json_line_by_line_when_that_is_wanted() {
    let (web, place) = (FakeWeb::start().site(2).empty("/empty"), Place::new());
    let (map, empty) = (web.url("/sitemap.xml"), web.url("/empty"));
    let command = ["digest", &map, &empty, "--delay", "0s", "--log-format", "json"];
    let ended = place.run(&command).code(1);
    assert!(ended.stdout.contains("items   "), "the report is for people: {}", ended.stdout);
    let said = events(&ended.stderr);
    assert!(said.iter().all(|(event, _)| event["timestamp"].is_string()), "{said:?}");
    for part in ["run begun", "item parked", "publishing", "run ended"] {
        let (event, _) = said.iter().find(|(_, message)| message == part).unwrap();
        assert_eq!(event["span"]["pipeline"], "digest", "{event}");
        assert_eq!(event["span"]["run"], super::ids(&place)[0].as_str(), "{event}");
    }

    // What stops a command is a line, too; with `-q` it is the only one.
    let nowhere = place.path("nowhere");
    let command = ["runs", "show", "x", "-q", "--home", nowhere.to_str().unwrap()];
    let failed = place.command(&command).env("TIDEMILL_LOG_FORMAT", "json").output().unwrap();
    let failed = crate::support::program::ended(failed).code(2);
    let said = events(&failed.stderr);
    let [(event, message)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(event["level"], "ERROR");
    assert!(message.contains("there is no mill in"), "{message}");
    place.run(&["runs", "--log-format", "xml"]).code(2).says("[possible values: text, json]");
}

#[test]
fn lines_for_people_say_which_run_they_are_of() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    let ended = place.run(&["digest", &web.url("/articles/1"), "--delay", "0s", "-v"]).code(0);
    let run = super::ids(&place).remove(0);
    let span = format!("INFO run{{pipeline=\"digest\" run=\"{run}\"}}: run begun");
    assert!(ended.stderr.contains(&span), "{}", ended.stderr);
    assert!(!ended.stderr.contains("run ended"), "its report says that: {}", ended.stderr);
}

#[test]
fn a_log_that_cannot_be_kept_is_said_once_and_stops_nothing() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    std::fs::create_dir_all(place.home()).unwrap();
    std::fs::write(place.home().join("logs"), "in the way").unwrap();
    let ended = place.run(&["digest", &web.url("/articles/1"), "--delay", "0s"]).code(0);
    assert_eq!(ended.stderr.matches("this run has no log file").count(), 1, "{}", ended.stderr);
    assert_eq!(archived(&place), Vec::<PathBuf>::new());
}
