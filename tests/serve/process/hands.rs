//! Many hands: what is asked of a server from another terminal, and what comes of it.

use super::child::Child;
use super::{PUBLISHED, SOME_DAY, asked, held, pages, remember, serve, until};
use crate::support::fake_web::{FakeWeb, Fault};
use crate::support::program::{Place, files};
use serde_json::Value;
use tidemill_pipeline::clock::{Clock as _, SystemClock};

/// How many requests were made, and have an answer.
const ORDERS: &str = "SELECT count(*) || ' ' || count(answer) FROM tm_requests";

#[test]
fn a_run_is_asked_for_and_followed_to_its_end() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &pages(&web), &SOME_DAY);
    let serving = serve(&place, &[]);
    let following = Child::start(place.command(&["run", "news"]));
    following.says(&format!("process {}; it is asked to do this", serving.id()));
    let at_work = following.says("is at work; Ctrl-C stops following it");
    gate.open();
    let ended = following.ended().code(0);
    assert!(
        ended.stdout.contains("2 done, 0 unchanged, 0 waiting, 0 set aside"),
        "{}",
        ended.stdout
    );
    let run = place.texts("SELECT id FROM tm_runs").remove(0);
    assert!(at_work.contains(&run) && ended.stdout.contains(&run), "{at_work} {}", ended.stdout);

    let again = place.json(0, &["run", "news"]);
    assert_eq!((&again["items"]["unchanged"], &again["resumed"]), (&2.into(), &false.into()));
    assert_eq!(again["pipeline"], "news", "{again:#}");
    serving.says(again["run"].as_str().unwrap());
    serving.stop();
}

#[test]
fn a_run_that_sets_items_aside_says_so_by_its_exit_code() {
    let (web, place) = (FakeWeb::start().site(1).empty("/empty"), Place::new());
    remember(&place, "news", &[web.url("/articles/1"), web.url("/empty")], &SOME_DAY);
    let serving = serve(&place, &[]);
    let report = place.json(1, &["run", "news"]);
    assert_eq!((&report["items"]["done"], &report["items"]["parked"]), (&1.into(), &1.into()));
    serving.stop();
}

#[test]
fn a_day_that_was_missed_is_run_for_and_its_files_lie_under_that_day() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &["--daily", "06:00"]);
    let serving = serve(&place, &[]);
    let day = (SystemClock.now() - chrono::TimeDelta::days(2)).format("%Y-%m-%d").to_string();
    let report = place.json(0, &["run", "news", "--at", &day]);
    let wanted = format!("{day}T06:00:00");
    assert_eq!(
        (report["dt"].as_str(), report["scheduled_for"].as_str()),
        (Some(&*day), Some(&*wanted))
    );
    let parcels = report["offload"]["parcels"].as_array().unwrap();
    assert!(!parcels.is_empty(), "{report:#}");
    let folder = format!("/dt={day}/");
    let found = files(&place.archive());
    let filed = found.iter().filter(|file| file.to_string_lossy().contains(&folder)).count();
    assert!(filed > parcels.len(), "{found:?}");

    let row = format!(
        "SELECT decision || ' ' || outcome FROM tm_firings WHERE scheduled_for = '{wanted}'"
    );
    assert_eq!(place.texts(&row), ["fired published"]);
    place.run(&["run", "news", "--at", &day]).code(2).says("has its run");
    place.run(&["run", "news", "--at", "2100-01-01"]).code(2).says("is not over yet");
    place.run(&["run", "news", "--at", "yesterday"]).code(2).says("`yesterday` is no day");
    serving.stop();
}

#[test]
fn what_changes_the_mill_is_done_by_the_server() {
    let (web, place) = (FakeWeb::start().site(3).empty("/empty"), Place::new());
    remember(&place, "news", &pages(&web), &SOME_DAY);
    remember(&place, "odd", &[web.url("/articles/3"), web.url("/empty")], &SOME_DAY);
    let serving = serve(&place, &[]);
    let run = place.json(0, &["run", "news"])["run"].as_str().unwrap().to_string();
    place.json(1, &["run", "odd"]);

    assert_eq!(place.json(0, &["parked", "retry", "--all"])["count"], 1);
    assert_eq!(place.json(0, &["parked"]), Value::Array(vec![]));
    let pruned = place.json(0, &["prune", "--yes"]);
    assert!(pruned["kept"].as_u64() > Some(0), "{pruned:#}");
    assert_eq!(place.json(0, &["rollback", &run])["removed"], 2);
    assert_eq!(place.count("SELECT count(*) FROM digests"), 1);

    let paused = "SELECT pipeline FROM tm_schedules WHERE paused_at IS NOT NULL";
    assert_eq!(place.json(0, &["schedule", "pause", "news"])["changed"], true);
    assert_eq!(place.texts(paused), ["news"]);
    assert_eq!(place.json(0, &["schedule", "resume", "news"])["changed"], true);
    assert_eq!(place.texts(paused), [""; 0]);
    assert_eq!(place.texts(ORDERS), ["7 7"], "the server did all of it");
    serving.stop();
}

#[test]
fn what_is_remembered_or_forgotten_is_known_without_a_restart() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "idle", &pages(&web), &SOME_DAY);
    let serving = serve(&place, &[]);
    let often = ["--every", "1s"];
    remember(&place, "fast", &pages(&web), &often);
    remember(&place, "witness", &pages(&web), &often);
    let done = |name: &str| {
        format!(
            "SELECT CAST(count(*) > 1 AS TEXT) FROM tm_firings JOIN tm_schedules USING (schedule_no)
              WHERE pipeline = '{name}' AND outcome = 'published'"
        )
    };
    until(&place, &done("fast"), "1");
    place.run(&["digest", "--forget", "fast"]).code(0);
    let fired =
        "SELECT CAST(count(*) AS TEXT) FROM tm_firings JOIN tm_schedules USING (schedule_no)
                  WHERE pipeline = 'fast'";
    let fast = place.texts(fired);
    // Both come every second: when the other one has come twice, this one would have.
    let then = place.count("SELECT max(firing_no) FROM tm_firings");
    until(&place, &format!("{} AND firing_no > {then}", done("witness")), "1");
    assert_eq!(place.texts(fired), fast);
    place.run(&["run", "fast"]).code(2).says("there is no pipeline `fast`");
    let left = place.json(0, &["schedule", "ls"]);
    assert_eq!(left.as_array().unwrap().len(), 2, "the idle one and the witness: {left:#}");
    serving.stop();
}

#[test]
fn a_job_that_is_remembered_anew_is_run_as_it_is_now() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &[web.url("/articles/1")], &SOME_DAY);
    let serving = serve(&place, &[]);
    place.json(0, &["run", "news"]);
    remember(&place, "news", &[web.url("/articles/2")], &SOME_DAY);
    place.json(0, &["run", "news"]);
    let urls = "SELECT url FROM digests ORDER BY url";
    assert_eq!(place.texts(urls), pages(&web));
    serving.stop();
}

#[test]
fn a_run_of_a_busy_pipeline_waits_for_its_turn() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &pages(&web), &SOME_DAY);
    let serving = serve(&place, &[]);
    let first = Child::start(place.command(&["run", "news", "--json"]));
    web.wait_for_hits("/articles/1", 1);
    let second = Child::start(place.command(&["run", "news", "--json"]));
    until(&place, "SELECT count(taken_at) || ' ' || count(done_at) FROM tm_requests", "2 0");
    assert_eq!(place.count("SELECT count(*) FROM tm_runs"), 1, "the second one waits");
    gate.open();
    let (first, second) = (first.ended().code(0).report(), second.ended().code(0).report());
    assert_ne!(first["run"], second["run"]);
    assert_eq!((&first["items"]["done"], &second["items"]["unchanged"]), (&2.into(), &2.into()));
    assert_eq!(place.texts(PUBLISHED), ["2"]);
    serving.stop();
}

#[test]
fn two_pipelines_run_beside_each_other() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "slow", &[web.url("/articles/1")], &SOME_DAY);
    let other = FakeWeb::start().site(2);
    remember(&place, "quick", &[other.url("/articles/2")], &SOME_DAY);
    let serving = serve(&place, &[]);
    let slow = Child::start(place.command(&["run", "slow"]));
    web.wait_for_hits("/articles/1", 1);
    place.run(&["run", "quick"]).code(0);
    gate.open();
    slow.ended().code(0);
    serving.stop();
}

#[test]
fn a_run_in_hand_is_brought_to_its_end_before_the_server_leaves_and_who_asked_hears_of_it() {
    let (_web, ollama, place) = asked(&SOME_DAY);
    let serving = serve(&place, &[]);
    let asking = Child::start(place.command(&["run", "news"]));
    ollama.wait_for_started(1);
    serving.terminate();
    serving.says("stopping: ");
    ollama.release_all();
    asking.ended().code(2).says("interrupted");
    serving.ended().code(0);
    assert_eq!(
        place.json(0, &["run", "news"])["resumed"],
        true,
        "without a server it goes on here"
    );
    assert_eq!(ollama.repeated().len(), 0);
}

#[test]
fn an_owner_that_is_no_server_runs_nothing_else() {
    let ((web, gate), place) = (held(), Place::new());
    remember(&place, "news", &[web.url("/articles/2")], &SOME_DAY);
    let owner = Child::start(place.command(&["digest", &web.url("/articles/1"), "--delay", "0s"]));
    web.wait_for_hits("/articles/1", 1);
    let refused = place.run(&["run", "news"]).code(75);
    refused.says("does one job and does not run news").says("let `serve` own the home");
    assert_eq!(web.hits("/articles/2"), 0);
    gate.open();
    owner.ended().code(0);
    place.run(&["run", "news"]).code(0);
}

#[test]
fn a_page_that_was_mended_comes_with_the_run_that_is_asked_for_next() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    web.fault("/articles/2", Fault::Status { code: 503, retry_after: None, times: usize::MAX });
    remember(&place, "news", &pages(&web), &SOME_DAY);
    let serving = serve(&place, &[]);
    place.json(1, &["run", "news"]);
    web.heal("/articles/2");
    assert_eq!(place.json(0, &["parked", "retry", "--all"])["count"], 1);
    let report = place.json(0, &["run", "news"]);
    assert_eq!((&report["items"]["done"], &report["items"]["unchanged"]), (&1.into(), &1.into()));
    serving.stop();
}

#[test]
fn an_archive_that_is_made_while_the_home_is_served_is_taken_by_the_server() {
    let place = Place::new();
    remember(&place, "idle", &["demo:".into()], &SOME_DAY);
    let serving = serve(&place, &[]);
    let nas = place.path("nas");
    std::fs::create_dir(&nas).unwrap();
    let home = place.home();
    let words = ["archive", "init", nas.to_str().unwrap(), "--home", home.to_str().unwrap()];
    place.run(&words).code(0);
    let known = place.texts("SELECT root FROM tm_archives");
    assert_eq!(known, [nas.to_string_lossy()]);
    serving.stop();
}

#[test]
fn a_schedule_whose_run_failed_says_so_where_schedules_are_listed() {
    let place = Place::new();
    let seeds = place.path("seeds.txt");
    std::fs::write(&seeds, "demo:\n").unwrap();
    let from = ["--from", seeds.to_str().unwrap(), "--cron", "@startup"];
    remember(&place, "gone", &[], &from);
    std::fs::remove_file(&seeds).unwrap();
    let serving = serve(&place, &[]);
    until(&place, "SELECT CAST(max(failures) AS TEXT) FROM tm_firings", "1");
    let listed = place.json(0, &["schedule", "ls"]);
    assert!(
        listed[0]["failed"].as_str().is_some_and(|why| why.contains("seeds.txt")),
        "{listed:#}"
    );
    place.run(&["schedule"]).code(0);
    serving.stop();
}
