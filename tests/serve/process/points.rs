//! A server that is killed at each durable step: the next one makes up for it, and every time of a
//! schedule that was fired has one published run.

use super::child::Child;
use super::{AT_STARTUP, PATIENCE, pages, remember, serve, until};
use crate::support::fake_web::FakeWeb;
use crate::support::program::{Place, two_at_a_time};
use std::time::Instant;
use tidemill_pipeline::crash::{POINTS, SERVE_POINTS};

/// Later passes of these points: at the beginning of a server, and in the middle of its run.
const LATER: [(&str, u64); 8] = [
    ("ledger.committed", 2),
    ("ledger.committed", 3),
    ("ledger.begun", 4),
    ("ledger.committed", 5),
    ("ledger.begun", 7),
    ("ledger.committed", 9),
    ("step.done", 2),
    ("serve.decided", 2),
];

/// The points that a run without a model passes in a server.
fn points() -> impl Iterator<Item = &'static str> {
    let elsewhere = |point: &&str| !point.starts_with("rollback.") && !point.starts_with("call.");
    SERVE_POINTS.iter().chain(POINTS).copied().filter(elsewhere)
}

#[test]
fn killed_at_each_crash_point_of_server_and_run_nothing_is_lost_or_comes_twice() {
    two_at_a_time(points().map(|point| (point, 1)), killed_at);
}

#[test]
fn killed_at_later_passes_it_does_so_too() {
    two_at_a_time(LATER, killed_at);
}

/// The rows of a place, without what differs from run to run.
fn rows(place: &Place) -> Vec<String> {
    place.texts("SELECT url || title || summary || method FROM digests ORDER BY url")
}

fn killed_at(point: &str, n: u64) {
    let web = FakeWeb::start().site(2);
    let whole = Place::new();
    let [one, two] = [web.url("/articles/1"), web.url("/articles/2")];
    whole.run(&["digest", &one, &two, "--delay", "0s"]).code(0);

    let place = Place::new();
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    dies(&place, point, n);
    let serving = serve(&place, &[]);
    settled(&place, &format!("{point}:{n}"));
    once_each(&place, &format!("{point}:{n}"));
    assert_eq!(rows(&place), rows(&whole), "{point}:{n}");
    serving.stop();
    place.run(&["verify"]).code(0);
    assert!(place.scratch().is_empty(), "{point}:{n}: {:?}", place.scratch());
}

/// Serves until it comes to a crash point for the `n`th time.
pub(super) fn dies(place: &Place, point: &str, n: u64) {
    let mut command = place.command(&["serve"]);
    command.env("TIDEMILL_CRASH_AT", format!("{point}:{n}"));
    let dying = Child::start(command);
    assert!(dying.ends_killed(&format!("{point}:{n}")), "{point}:{n} did not kill it");
}

/// Waits until nothing is left to do.
#[track_caller]
fn settled(place: &Place, what: &str) {
    const LEFT: &str = "
        SELECT (SELECT count(*) FROM tm_firings
                 WHERE ended_at IS NULL AND decision IN ('fired', 'queued')) || ' ' ||
               (SELECT count(*) FROM tm_runs WHERE state NOT IN ('finished', 'abandoned')) || ' ' ||
               (SELECT count(*) FROM tm_offloads WHERE state NOT IN ('done', 'pruned'))";
    let begun = Instant::now();
    while place.texts(LEFT) != ["0 0 0"] {
        let left = place.texts(LEFT);
        assert!(begun.elapsed() < PATIENCE, "{what}: firings, runs, files left: {left:?}");
        std::thread::sleep(std::time::Duration::from_millis(10)); // to the next look
    }
}

/// Every time that was fired is published by exactly one run, and no run is for nothing.
#[track_caller]
fn once_each(place: &Place, what: &str) {
    let runs = place.texts(
        "SELECT count(r.run_no) || ' ' || f.outcome
           FROM tm_firings f LEFT JOIN tm_runs r
             ON r.firing_no = f.firing_no AND r.state IN ('published', 'finished')
          WHERE f.decision = 'fired' GROUP BY f.firing_no",
    );
    assert!(!runs.is_empty() && runs.iter().all(|line| line == "1 published"), "{what}: {runs:?}");
    let strays = "SELECT count(*) FROM tm_runs
                   WHERE state IN ('published', 'finished') AND firing_no IS NULL";
    assert_eq!(place.count(strays), 0, "{what}");
    let names = "SELECT count(*) - count(DISTINCT schedule_no || scheduled_for) FROM tm_firings";
    assert_eq!(place.count(names), 0, "{what}: a time is there twice");
}

#[test]
fn killed_again_and_again_while_times_come_each_of_them_is_published_once() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &["--every", "1s", "--overlap", "queue"]);
    for (point, n) in [
        ("serve.decided", 3),
        ("serve.begun", 1),
        ("ledger.committed", 6),
        ("publish.committed", 1),
        ("serve.begun", 2),
        ("publish.inside", 2),
        ("ledger.begun", 11),
    ] {
        dies(&place, point, n);
    }
    let serving = serve(&place, &[]);
    place.run(&["schedule", "pause", "news"]).code(0);
    settled(&place, "the last life");
    once_each(&place, "the last life");
    serving.stop();
    assert!(place.count("SELECT count(*) FROM tm_firings WHERE decision = 'fired'") > 2);
    assert_eq!(place.count("SELECT count(*) FROM digests"), 2);
    until(&place, "SELECT CAST(max(attempt) > 1 AS TEXT) FROM tm_runs", "1");
    place.run(&["verify"]).code(0);
}
