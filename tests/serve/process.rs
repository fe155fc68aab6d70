//! `serve` as a process: who owns the home, who asks it for something, and what a kill leaves behind.

mod flags;
mod hands;
mod kill;
mod outside;
mod owner;
mod points;
mod times;

use crate::support::child::{self, Child};
use crate::support::fake_ollama::{FakeOllama, TINY};
use crate::support::fake_web::FakeWeb;
use crate::support::http::Gate;
use crate::support::program::Place;

use std::time::{Duration, Instant};

/// How long something may take that must happen; only a hang takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server says when it is ready.
const READY: &str = "serves; Ctrl-C";

/// The words of the one that is run by a server that starts, and by nothing else.
const AT_STARTUP: [&str; 2] = ["--cron", "@startup"];

/// The words of one that is scheduled, but not for today.
const SOME_DAY: [&str; 2] = ["--cron", "0 0 29 2 *"];

/// Lets the home of this place be served; returns when it is.
fn serve(place: &Place, more: &[&str]) -> Child {
    let serving = Child::start(place.command(&[&["serve"], more].concat()));
    serving.says(READY);
    serving
}

/// Lets the home remember a job of these seeds.
fn remember(place: &Place, name: &str, seeds: &[String], more: &[&str]) {
    let mut words = vec!["digest", "--name", name, "--delay", "0s"];
    words.extend(seeds.iter().map(String::as_str));
    words.extend(more);
    place.run(&words).code(0);
}

/// A site of two pages, the first of which does not come before the gate is opened.
fn held() -> (FakeWeb, Gate) {
    let gate = Gate::closed();
    (FakeWeb::start().site(2).slow("/articles/1", &gate), gate)
}

/// A home that remembers a job of two pages, and a model that does not answer before it is released.
fn asked(when: &[&str]) -> (FakeWeb, FakeOllama, Place) {
    let (web, ollama) = (FakeWeb::start().site(2), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    ollama.hold();
    remember(&place, "news", &pages(&web), &[when, &["--model", TINY]].concat());
    (web, ollama, place)
}

/// The addresses of the two pages.
fn pages(web: &FakeWeb) -> Vec<String> {
    vec![web.url("/articles/1"), web.url("/articles/2")]
}

/// Looks into the ledger until this query, of one text, answers what is wanted.
#[track_caller]
fn until(place: &Place, sql: &str, wanted: &str) {
    let begun = Instant::now();
    loop {
        let found = place.texts(sql);
        if found == [wanted] {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for `{wanted}` of `{sql}`: {found:?}");
        std::thread::sleep(Duration::from_millis(10)); // to the next look, not for something
    }
}

/// What became of the times that were not skipped, and of the run of each: `decision outcome state
/// attempt`.
const FIRINGS: &str = "SELECT coalesce(group_concat(line, ', '), '') FROM (
       SELECT f.decision || ' ' || coalesce(f.outcome, '-') ||
              coalesce(' ' || r.state || ' ' || r.attempt, '') AS line
         FROM tm_firings f LEFT JOIN tm_runs r USING (firing_no)
        WHERE f.decision <> 'skipped' ORDER BY f.firing_no, r.run_no)";

/// How many runs are published.
const PUBLISHED: &str =
    "SELECT CAST(count(*) AS TEXT) FROM tm_runs WHERE state IN ('published', 'finished')";
