//! Promise: nothing goes to a wrong disk, and a disk that is away costs nothing.

use crate::support::fake_web::FakeWeb;
use crate::support::mounted::Mounted;
use crate::support::program::{Place, files, files_like};

fn digest(place: &Place, web: &FakeWeb, code: i32, archive: &str) -> serde_json::Value {
    let seed = web.url("/sitemap.xml");
    place.json(code, &["digest", &seed, "--delay", "0s", "--archive", archive])
}

#[test]
fn a_folder_that_was_never_made_an_archive_is_refused_before_the_first_request() {
    let (web, place) = (FakeWeb::start().site(3), Place::new());
    std::fs::create_dir(place.path("nas")).unwrap();
    let refused = digest(&place, &web, 2, "nas");
    assert_eq!(refused["error"]["reason"], "archive_new");
    let help = refused["error"]["help"].as_str().unwrap();
    assert!(help.contains("tidemill archive init /"), "{help}");
    assert_eq!(web.requests().len(), 0);
    assert_eq!(files(&place.path("nas")).len(), 0);
}

#[test]
fn only_a_folder_that_really_lies_in_the_home_makes_itself_an_archive() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    std::fs::create_dir_all(place.path("mount")).unwrap();
    std::fs::create_dir_all(place.home()).unwrap();
    std::os::unix::fs::symlink(place.path("mount"), place.home().join("nas")).unwrap();
    for archive in ["home/nas", "home/../mount"] {
        assert_eq!(digest(&place, &web, 2, archive)["error"]["reason"], "archive_new", "{archive}");
    }
    assert_eq!(files(&place.path("mount")).len(), 0);
}

#[test]
fn an_archive_that_is_away_gets_its_files_when_it_is_back() {
    let (web, place) = (FakeWeb::start().site(4), Place::new());
    place.run(&["archive", "init", "nas", "--label", "nas"]).code(0);
    digest(&place, &web, 0, "nas");
    let whole = files(&place.path("nas")).len();

    // The disk is unplugged: an empty mount point is left.
    std::fs::rename(place.path("nas"), place.path("unplugged")).unwrap();
    std::fs::create_dir(place.path("nas")).unwrap();
    web.revise(2, 77);
    let away = digest(&place, &web, 0, "nas");
    assert_eq!(away["changed_rows"], 1, "the run publishes: {away}");
    assert_eq!(away["offload"]["state"], "waiting");
    assert_eq!(files(&place.path("nas")).len(), 0, "nothing is written to the mount point");
    assert!(!place.scratch().is_empty(), "the files wait on scratch");
    let status = place.json(0, &["status"]);
    assert!(!status["offload"].as_array().unwrap().is_empty(), "{status}");
    let strict = place.run(&[
        "digest",
        &web.url("/sitemap.xml"),
        "--delay",
        "0s",
        "--archive",
        "nas",
        "--strict-archive",
    ]);
    assert_eq!(strict.code, 1, "{}", strict.stderr);

    std::fs::remove_dir(place.path("nas")).unwrap();
    std::fs::rename(place.path("unplugged"), place.path("nas")).unwrap();
    let back = digest(&place, &web, 0, "nas");
    assert_eq!(back["offload"]["state"], "done");
    assert_eq!(place.scratch().len(), 0, "nothing waits any more");
    assert!(files(&place.path("nas")).len() > whole);
    place.run(&["verify", "--archive", "nas"]).code(0);
}

#[test]
fn another_disk_at_the_same_place_is_refused_until_a_person_says_yes() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    place.run(&["archive", "init", "nas"]).code(0);
    digest(&place, &web, 0, "nas");
    std::fs::rename(place.path("nas"), place.path("first")).unwrap();
    // Made somewhere else: this home knows nothing of it.
    let mut made_elsewhere = place.command(&["archive", "init", "nas"]);
    assert!(made_elsewhere.env_remove("TIDEMILL_HOME").status().unwrap().success());
    let before = (web.requests().len(), files(&place.path("nas")).len());
    let refused = digest(&place, &web, 2, "nas");
    assert_eq!(refused["error"]["reason"], "archive_foreign");
    assert_eq!((web.requests().len(), files(&place.path("nas")).len()), before);
    let home = place.home();
    place.run(&["archive", "init", "nas", "--home", home.to_str().unwrap()]).code(0);
    digest(&place, &web, 0, "nas");
}

#[test]
fn snapshots_are_thinned_and_increments_are_not() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    place.run(&["archive", "init", "nas"]).code(0);
    for seed in 0..3 {
        web.revise(1, 100 + seed);
        digest(&place, &web, 0, "nas");
    }
    let nas = place.path("nas");
    let snapshots = files_like(&nas.join("sqlite"), ".sqlite");
    assert_eq!(
        snapshots.len(),
        2,
        "of one day the newest stays, and the oldest of all: {snapshots:?}"
    );
    assert_eq!(files_like(&nas.join("raw_scrapes"), ".warc.gz").len(), 3);
    let plan = place.json(0, &["prune", "--dry-run"]);
    for decision in plan["decisions"].as_array().unwrap() {
        assert!(!decision["reasons"].as_array().unwrap().is_empty(), "{decision}");
    }
    place.run(&["verify", "--archive", "nas"]).code(0);
}

#[test]
fn on_exfat_the_source_waits_for_a_cold_reading() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    std::fs::create_dir(place.path("disk")).unwrap();
    let Some(_mount) = Mounted::exfat(&place.path("disk.img"), &place.path("disk")) else { return };
    place.run(&["archive", "init", "disk/mill"]).code(0);
    let first = digest(&place, &web, 0, "disk/mill");
    assert_eq!(first["offload"]["state"], "done", "{first:#}");
    let waits =
        place.texts("SELECT dataset FROM tm_offloads WHERE state = 'retired' ORDER BY dataset");
    let all = ["llm_summaries", "logs", "raw_scrapes", "sqlite"];
    assert_eq!(waits, all, "they wait in the scratch trash");
    assert!(!place.scratch().is_empty());
    digest(&place, &web, 0, "disk/mill");
    let first = first["run"].as_str().unwrap();
    let done = format!(
        "SELECT count(*) FROM tm_offloads o JOIN tm_runs USING (run_no) WHERE id = '{first}' AND o.state = 'done'"
    );
    assert_eq!(place.count(&done), 4, "the next run read them again and let the source go");
    assert!(place.scratch().iter().all(|file| !file.to_string_lossy().contains(first)));
    place.run(&["verify", "--archive", "disk/mill"]).code(0);
}
