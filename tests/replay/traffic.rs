//! Right of way: a replay makes room for every other run, goes on behind it, and outlives its program.

use super::place::{ASKED, Mill, PAGES, REPLAY};
use super::site::page;
use crate::support::child::Child;
use crate::support::fake_web::FakeWeb;
use std::time::{Duration, Instant};

/// What a server says when it is ready.
const READY: &str = "serves; Ctrl-C";
/// A run begins so soon though a replay is at work; in seconds, with much to spare.
const SOON: u64 = 10;

/// Runs of a kind with their states, oldest first.
const RUNS: &str = "SELECT coalesce(group_concat(line, ', '), '') FROM
    (SELECT p.name || ' ' || r.trigger || ' ' || r.state AS line
       FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
      WHERE r.started_at > 1760000000000 ORDER BY r.run_no)";

/// Whether a run of today began that is …
const BEGAN: &str =
    "SELECT CAST(count(*) > 0 AS TEXT) FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
    WHERE r.started_at > 1760000000000";

/// Lets the model answer one question after the other, slowly, until this is so. Each worker has asked
/// something, or stands in line to do so; and a long page makes room between two of its pieces.
fn answer_until(mill: &Mill, sql: &str) {
    let begun = Instant::now();
    while mill.place.texts(sql) != ["1"] {
        assert!(begun.elapsed().as_secs() < SOON, "no room was made");
        mill.ollama.release(1);
        std::thread::sleep(Duration::from_millis(150)); // the model takes its time
    }
}

/// A job of two short pages, for which no model is asked.
fn other_job(mill: &Mill) -> FakeWeb {
    let web = FakeWeb::start();
    let urls = ["/ebb", "/flow"].map(|path| {
        web.change(path, &page(path, 30));
        web.url(path)
    });
    let when = ["--delay", "0s", "--name", "other", "--cron", "0 0 29 2 *"];
    mill.place.run(&[&["digest", &urls[0], &urls[1]], &when[..]].concat()).code(0);
    web
}

fn serve(mill: &Mill) -> Child {
    let serving = Child::start(mill.place.command(&["serve"]));
    serving.says(READY);
    serving
}

/// Starts a replay whose first answers do not come.
fn held(mill: &Mill) -> Child {
    mill.ollama.hold();
    let replaying = Child::start(mill.place.command(&[&REPLAY[..], &["--json"]].concat()));
    mill.ollama.wait_for_started(1);
    replaying
}

/// Lets another pipeline and the same one run while a replay is at work, which then goes on.
fn makes_room(mill: &Mill, replaying: Child) {
    let begun = Instant::now();
    let report = mill.place.json(0, &["run", "other"]);
    assert_eq!(report["items"]["done"], 2, "{report:#}");
    assert!(begun.elapsed().as_secs() < SOON, "it took {:?}", begun.elapsed());
    assert_eq!(mill.ollama.calls(), 0, "the replay is where it was");

    let running = Child::start(mill.place.command(&["run", "news", "--json"]));
    mill.until("SELECT CAST(count(*) AS TEXT) FROM tm_requests WHERE verb = 'run' AND taken_at IS NOT NULL", "2");
    let begun = Instant::now();
    answer_until(mill, &format!("{BEGAN} AND p.name = 'news' AND r.trigger = 'hand'"));
    let report = running.ended().code(0).report();
    assert!(begun.elapsed().as_secs() < SOON, "it took {:?}", begun.elapsed());
    assert_eq!(report["items"]["unchanged"], PAGES, "{report:#}");
    let runs = mill.place.texts(RUNS).remove(0);
    assert!(runs.contains("news hand finished") && !runs.contains("replay finished"), "{runs}");
    mill.ollama.release_all();
    let report = replaying.ended().code(0).report();
    assert_eq!((&report["items"]["done"], &report["resumed"]), (&PAGES.into(), &true.into()));
    assert!(mill.ollama.calls() as u64 > ASKED && mill.ollama.repeated().is_empty());
}

#[test]
fn under_serve_every_run_goes_first_and_the_replay_goes_on() {
    let mill = Mill::stale();
    let _web = other_job(&mill);
    let serving = serve(&mill);
    let replaying = held(&mill);
    makes_room(&mill, replaying);
    assert_eq!(
        mill.place.texts(RUNS),
        ["other hand finished, news hand finished, news replay finished"]
    );
    serving.stop();
}

#[test]
fn a_replay_by_hand_carries_out_runs_that_others_ask_for() {
    let mill = Mill::stale();
    let _web = other_job(&mill);
    let replaying = held(&mill);
    makes_room(&mill, replaying);
}

#[test]
fn a_schedule_fires_beside_a_replay_and_its_run_goes_first() {
    let mill = Mill::own(6);
    let web = mill.web.as_ref().unwrap();
    let calls = mill.ollama.calls();
    let serving = serve(&mill);
    mill.ollama.hold();
    let replaying = Child::start(mill.place.command(&[&REPLAY[..], &["--json"]].concat()));
    mill.ollama.wait_for_started(calls + 1);
    web.grow(7);
    // It comes every second from now on.
    let more = ["--model", "tiny:latest", "--words", "120", "--delay", "0s", "--every", "1s"];
    mill.place.run(&[&["digest", &mill.seed, "--name", "news"], &more[..]].concat()).code(0);
    let fired = "SELECT CAST(count(*) > 0 AS TEXT) FROM tm_firings WHERE decision = 'fired'";
    mill.until(fired, "1");
    answer_until(&mill, &format!("{BEGAN} AND r.trigger = 'schedule'"));
    mill.ollama.release_all();
    let published = "SELECT CAST(count(*) > 0 AS TEXT) FROM tm_firings WHERE outcome = 'published'";
    mill.until(published, "1");
    mill.place.run(&["schedule", "pause", "news"]).code(0);
    let report = replaying.ended().code(0).report();
    assert_eq!(report["items"]["done"], 6, "{report:#}");
    let first = "SELECT trigger FROM tm_runs WHERE trigger <> 'hand' AND ended_at IS NOT NULL
                  ORDER BY ended_at LIMIT 1";
    assert_eq!(mill.place.texts(first), ["schedule"]);
    let said = mill.place.json(0, &[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!((&said["items"], &said["kinds"]["fresh"]), (&0.into(), &7.into()), "{said:#}");
    assert!(mill.ollama.repeated().is_empty());
    serving.stop();
}

#[test]
fn a_server_that_is_killed_in_a_replay_leaves_it_to_the_next_one() {
    let mill = Mill::stale();
    let first = serve(&mill);
    let asking = held(&mill);
    mill.until("SELECT CAST(count(note) AS TEXT) FROM tm_requests", "1");
    first.kill();
    asking.ended().code(2).says("ended before it answered");
    mill.ollama.release_all();
    let second = serve(&mill);
    mill.until(RUNS, "news replay finished");
    assert_eq!(mill.place.count("SELECT count(*) FROM digests WHERE words > 0"), PAGES as i64);
    let again: usize = mill.ollama.prompts().iter().map(|prompt| prompt.started - 1).sum();
    assert!(again <= 4, "{again} questions were asked again");
    second.stop();
    let said = mill.place.json(0, &[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!(said["items"], 0, "{said:#}");
}

#[test]
fn a_replay_that_a_person_interrupts_goes_on_with_the_same_command_only() {
    let mill = Mill::stale();
    let replaying = held(&mill);
    replaying.terminate();
    replaying.says("stopping: what is in hand is finished");
    mill.ollama.release_all();
    let ended = replaying.ended().code(2);
    assert!(ended.stdout.contains("interrupted"), "{} {}", ended.stdout, ended.stderr);
    let calls = mill.ollama.started() as u64;
    assert!(calls < ASKED, "{calls} calls: it did not stop");
    // An ordinary run in between leaves it alone.
    let report = mill.place.json(0, &["run", "news"]);
    assert_eq!((&report["items"]["unchanged"], &report["resumed"]), (&PAGES.into(), &false.into()));
    let said = mill.place.json(0, &[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!(said["kinds"]["stale"], PAGES, "{said:#}");
    assert_eq!(mill.replay()["resumed"], true);
    assert!(mill.ollama.repeated().is_empty());
}

#[test]
fn a_forecast_is_given_while_another_program_owns_the_home_and_changes_nothing() {
    let mill = Mill::settled();
    let words = [&REPLAY[..], &["--dry-run"]].concat();
    let alone = mill.whole();
    let said = mill.place.json(0, &words);
    mill.whole().is_as_before(&alone, "a forecast");
    assert_eq!(
        (&said["items"], &said["kinds"]["stale"]),
        (&PAGES.into(), &PAGES.into()),
        "{said:#}"
    );
    let calls = &said["calls"];
    assert!(calls["least"].as_u64() >= Some(ASKED) && calls["unknown"] == 0, "{calls}");
    assert_eq!(mill.ollama.started(), 0);

    let serving = serve(&mill);
    let beside = mill.whole();
    let again = mill.place.json(0, &words);
    mill.whole().is_as_before(&beside, "a forecast beside a server");
    assert_eq!((&again["items"], &again["calls"]), (&said["items"], calls));
    // In words, too.
    let told = mill.place.run(&words).code(0).stdout;
    for part in ["summarise", "the configuration changed", "10 stale", "2025-03-02 to 2025-03-04"] {
        assert!(told.contains(part), "`{part}` is not in {told}");
    }
    serving.stop();
}
