//! Progress: lines where nothing can be drawn, nothing at all beside a JSON report.

use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;

#[test]
fn lines_tell_how_it_goes_and_json_stands_alone() {
    let (web, place) = (FakeWeb::start().site(3), Place::new());
    let map = web.url("/sitemap.xml");
    let command = ["digest", &map, "--delay", "0s", "--limit", "2"];
    let lines = place.run(&command).code(0);
    for part in ["run 2", "begun", "publishing", "copying to the archive"] {
        assert!(lines.stderr.contains(part), "{part} in {}", lines.stderr);
    }
    assert!(lines.stdout.contains("over the run's limit; later runs"), "{}", lines.stdout);

    web.revise(1, 77);
    let mut json = command.to_vec();
    json.push("--json");
    let ended = place.run(&json).code(0);
    assert_eq!(ended.stderr, "", "no progress beside the report");
    assert!(ended.report()["items"]["done"].as_u64().unwrap() > 0);
}
