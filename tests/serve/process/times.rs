//! Times that are remembered: at startup, every so often; and an archive that is away meanwhile.

use super::{AT_STARTUP, FIRINGS, SOME_DAY, pages, remember, serve, until};
use crate::support::fake_web::FakeWeb;
use crate::support::program::{Place, files};
use std::collections::BTreeSet;
use tidemill_pipeline::tier::atomic::rename;

#[test]
fn what_is_to_run_at_startup_runs_once_at_each_start() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    let first = serve(&place, &[]);
    until(&place, FIRINGS, "fired published finished 1");
    first.stop();
    // A start has its second for a name: the next one is in another.
    let later = "SELECT CAST(unixepoch() > max(fire_at) / 1000 AS TEXT) FROM tm_firings";
    until(&place, later, "1");
    let second = serve(&place, &[]);
    until(&place, FIRINGS, "fired published finished 1, fired published finished 1");
    second.stop();
    assert_eq!(place.texts("SELECT DISTINCT trigger FROM tm_runs"), ["schedule"]);
    let reason = place.texts("SELECT DISTINCT reason FROM tm_firings");
    assert_eq!(reason.len(), 1, "{reason:?}");
}

#[test]
fn what_is_to_run_every_second_has_a_time_for_each() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &["--every", "1s"]);
    let serving = serve(&place, &[]);
    let three = "SELECT CAST(count(*) > 2 AS TEXT) FROM tm_firings WHERE outcome = 'published'";
    until(&place, three, "1");
    serving.stop();
    let times = place.texts("SELECT scheduled_for FROM tm_firings ORDER BY fire_at");
    assert_eq!(times.iter().collect::<BTreeSet<_>>().len(), times.len(), "{times:?}");
    let apart = "SELECT max(d) || ' ' || min(d) FROM (
        SELECT fire_at - lag(fire_at) OVER (ORDER BY fire_at) AS d FROM tm_firings)";
    assert_eq!(place.texts(apart), ["1000 1000"], "each second is decided");
}

#[test]
fn a_server_that_starts_brings_what_waits_to_an_archive_that_is_there_again() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    let (nas, elsewhere) = (place.path("nas"), place.path("elsewhere"));
    place.run(&["archive", "init", "nas"]).code(0);
    remember(&place, "news", &pages(&web), &[&SOME_DAY[..], &["--archive", "nas"]].concat());
    let serving = serve(&place, &[]);
    let report = place.json(0, &["run", "news"]);
    assert_eq!(report["offload"]["state"], "done", "{report:#}");

    rename(&nas, &elsewhere).unwrap();
    web.revise(2, 7);
    let away = place.run(&["run", "news", "--json"]).code(0);
    assert_eq!(away.report()["offload"]["state"], "waiting", "{}", away.stdout);
    away.says("warning: the files wait on scratch");
    place.run(&["run", "news", "--strict-archive"]).code(1);
    let waiting = place.scratch().len();
    assert!(waiting > 0);
    serving.stop();

    rename(&elsewhere, &nas).unwrap();
    let (known, runs) = (files(&nas).len(), place.count("SELECT count(*) FROM tm_runs"));
    let serving = serve(&place, &[]);
    until(&place, "SELECT CAST(count(*) AS TEXT) FROM tm_runs WHERE state <> 'finished'", "0");
    serving.stop();
    assert_eq!(place.count("SELECT count(*) FROM tm_runs"), runs, "no run was needed for it");
    assert!(place.scratch().is_empty(), "{:?}", place.scratch());
    assert!(files(&nas).len() >= known + waiting);
    place.run(&["verify", "--archive", "nas"]).code(0);
}
