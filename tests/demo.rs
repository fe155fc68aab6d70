//! Promise: the demo shows the whole job at once, and a second one changes nothing.

use crate::support::program::{Place, files_like};

#[test]
fn the_demo_shows_the_whole_job_and_a_second_one_changes_nothing() {
    let place = Place::new();
    let first = place.json(0, &["demo"]);
    assert_eq!(first["items"]["done"], 12, "{first}");
    assert_eq!(first["changed_rows"], 12);
    assert_eq!(first["offload"]["state"], "done");
    assert_eq!(place.count("SELECT count(*) FROM digests WHERE method = 'extractive'"), 12);
    assert!(first["said"].to_string().contains("no local model found"), "{first}");
    let rows = place.texts("SELECT url || title || summary || _run FROM digests ORDER BY url");

    let second = place.json(0, &["demo"]);
    assert_eq!(second["items"]["unchanged"], 12, "{second}");
    assert_eq!(second["calls_made"], 0);
    assert_eq!(second["changed_rows"], 0);
    assert_eq!(
        place.texts("SELECT url || title || summary || _run FROM digests ORDER BY url"),
        rows
    );
    let run = second["run"].as_str().unwrap();
    let own = files_like(&place.archive(), "_MANIFEST.json");
    assert!(own.iter().any(|path| path.to_string_lossy().contains(run)), "{own:?}");
    assert_eq!(place.scratch(), Vec::<std::path::PathBuf>::new());
    // The bundled site links to a page that its robots.txt forbids; the feed does not list it.
    assert_eq!(place.count("SELECT count(*) FROM tm_fetch_urls WHERE url LIKE '%/private/%'"), 0);
}

#[test]
fn the_demo_keeps_out_of_a_home_with_other_work() {
    let (web, place) = (crate::support::fake_web::FakeWeb::start().site(1), Place::new());
    place.run(&["digest", &web.url("/articles/1"), "--delay", "0s"]).code(0);
    place.run(&["demo"]).code(2).says("a home of its own");
    assert_eq!(place.count("SELECT count(*) FROM digests"), 1);
}

#[test]
fn what_the_demo_made_can_be_read_and_verified() {
    let place = Place::new();
    place.run(&["demo"]).code(0);
    let read = place.json(0, &["read", "--since", "1d"]);
    assert_eq!(read.as_array().unwrap().len(), 12);
    assert!(place.run(&["read"]).code(0).stdout.contains("extractive"));
    let verified = place.json(0, &["verify"]);
    assert_eq!(verified[0]["sound"], true, "{verified}");
    let status = place.json(0, &["status"]);
    assert_eq!(status["pipelines"][0]["known"], 12, "{status}");
    let plan = place.run(&["plan"]).code(0);
    assert!(plan.stdout.contains("summarise@1"), "{}", plan.stdout);
    assert_eq!(place.json(0, &["parked"]).as_array().unwrap().len(), 0);
    place.run(&["doctor"]).code(0);
    let prune = place.json(0, &["prune", "--dry-run"]);
    assert!(prune["decisions"].to_string().contains("forever"), "{prune}");
}

#[test]
fn every_verb_has_help_that_ends_with_an_example() {
    let place = Place::new();
    for verb in [
        "run", "plan", "status", "parked", "prune", "verify", "read", "doctor", "demo", "digest",
        "new", "extract",
    ] {
        let help = place.run(&[verb, "--help"]).code(0).stdout;
        assert!(help.contains("Example:  tidemill "), "{verb}: {help}");
    }
    assert!(place.run(&["archive", "init", "--help"]).code(0).stdout.contains("Example:"));
    place.run(&["digest", "--depth", "x"]).code(2);
    place.run(&["nonsense"]).code(2);
}
