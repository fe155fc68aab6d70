//! Bad input: what cannot be replayed is refused with a clear word, and nothing is other than before.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::place::{Mill, NOW, REPLAY};
use crate::support::child::Child;
use crate::support::program::{Place, files_like};
use std::path::{Path, PathBuf};
use tidemill_pipeline::tier::Manifest;

/// Both the forecast and the replay are refused, say all of this, and change nothing.
#[track_caller]
fn refused(mill: &Mill, code: i32, words: &[&str], says: &[&str]) {
    let before = mill.whole();
    for more in [&["--dry-run"][..], &[]] {
        let words = [words, more].concat();
        let ended = mill.place.run(&words).code(code);
        for part in says {
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(said.contains(part), "`{part}` is not in what {words:?} said: {said}");
        }
        mill.whole().is_as_before(&before, &words.join(" "));
    }
    assert_eq!(mill.ollama.started(), 0, "no model was asked");
}

#[test]
fn a_selection_that_can_select_nothing_is_refused() {
    let mill = Mill::settled();
    let with = |more: &[&'static str]| [&REPLAY[..], more].concat();
    let missing = ["replay", "news", "--from", "raw_pages"];
    refused(&mill, 2, &missing, &["raw_pages", "raw_scrapes"]);
    let logs = ["replay", "news", "--from", "logs"];
    refused(&mill, 2, &logs, &["logs", "raw_scrapes"]);
    let swapped = with(&["--since", "2025-03-04", "--until", "2025-03-02"]);
    refused(&mill, 2, &swapped, &["--since 2025-03-04 is after --until 2025-03-02", "swap"]);
    refused(
        &mill,
        2,
        &with(&["--run", "20250302T060000Z-000000"]),
        &["20250302T060000Z-000000", "runs"],
    );
    refused(&mill, 2, &with(&["--where", "colour = 'red'"]), &["colour", "--where"]);
    refused(&mill, 2, &with(&["--where", "1; DROP TABLE digests"]), &["--where"]);
    refused(&mill, 2, &with(&["--limit", "0"]), &["--limit 0"]);
    refused(&mill, 2, &with(&["--since", "yesterday"]), &["--since", "YYYY-MM-DD"]);
    let nobody = ["replay", "nobody", "--from", "raw_scrapes"];
    refused(&mill, 2, &nobody, &["nobody", "news"]);
    let sort = ["replay", "news", "--from", "raw_scrapes", "--only", "old"];
    refused(&mill, 2, &sort, &["old", "missing", "parked", "stale", "all"]);
    refused(&mill, 2, &["replay", "news"], &["--from"]);
}

#[test]
fn a_home_that_is_not_there_is_not_made() {
    let place = Place::new();
    for more in [&["--dry-run"][..], &[]] {
        let ended = place.run(&[&REPLAY[..], more].concat()).code(2);
        assert!(ended.stderr.contains("home"), "{}", ended.stderr);
        assert!(!place.home().exists(), "{more:?}");
    }
}

#[test]
fn dates_without_anything_are_nothing_to_replay() {
    let mill = Mill::settled();
    let before = mill.whole();
    let words = [&REPLAY[..], &["--since", "2030-01-01"]].concat();
    let said = mill.place.json(0, &[&words[..], &["--dry-run"]].concat());
    assert_eq!((&said["runs"], &said["items"]), (&0.into(), &0.into()), "{said:#}");
    assert!(mill.place.json(0, &words).is_null());
    mill.whole().is_as_before(&before, "nothing to replay");
}

#[test]
fn an_archive_that_is_away_foreign_or_none_is_refused() {
    let mill = Mill::settled();
    let elsewhere = mill.place.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let at = |place: &Path| place.to_str().unwrap().to_owned();
    let there = at(&elsewhere);
    let never = [&REPLAY[..], &["--archive", &there]].concat();
    refused(&mill, 2, &never, &["elsewhere", "archive init"]);
    // Another archive, which has nothing of this pipeline.
    mill.place.run(&["archive", "init", "other"]).code(0);
    let other = at(&mill.place.path("other"));
    let before = mill.whole();
    let ended =
        mill.place.run(&[&REPLAY[..], &["--archive", &other, "--dry-run"]].concat()).code(2);
    assert!(ended.stderr.contains("nothing of news"), "{}", ended.stderr);
    mill.whole().is_as_before(&before, "an archive without anything");

    // Away: what the home knows as its archive is an empty folder now.
    let (root, away) = (mill.place.archive(), mill.place.path("unplugged"));
    mill.replay();
    mill.remember(130);
    mill.ollama.settle();
    let asked = mill.ollama.started();
    let before = mill.whole();
    std::fs::rename(&root, &away).unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let ended = mill.place.run(&[&REPLAY[..], more].concat()).code(2);
        assert!(ended.stderr.contains("archive"), "{}", ended.stderr);
        assert!(!root.exists() || files_like(&root, "").is_empty(), "{more:?}");
    }
    let _ = std::fs::remove_dir_all(&root); // an empty one, if any
    std::fs::rename(&away, &root).unwrap();
    mill.whole().is_as_before(&before, "an archive that was away");
    assert_eq!(mill.ollama.started(), asked);
    // Foreign: an archive of somebody else stands in its place.
    std::fs::rename(&root, &away).unwrap();
    std::fs::rename(mill.place.path("other"), &root).unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let ended = mill.place.run(&[&REPLAY[..], more].concat()).code(2);
        assert!(ended.stderr.contains("archive"), "{}", ended.stderr);
    }
    std::fs::rename(&root, mill.place.path("other")).unwrap();
    std::fs::rename(&away, &root).unwrap();
    mill.whole().is_as_before(&before, "a foreign archive");
}

#[test]
fn a_home_in_use_by_a_program_that_takes_no_orders_is_refused() {
    let mill = Mill::settled();
    mill.ollama.hold();
    // One that runs something by hand neither serves nor replays.
    mill.remember(NOW);
    let web = crate::support::fake_web::FakeWeb::start().site(1);
    let url = web.url("/articles/1");
    let words = ["digest", &url, "--name", "one", "--delay", "0s", "--model", "tiny:latest"];
    let owner = Child::start(mill.place.command(&words));
    mill.ollama.wait_for_started(1);
    mill.place.run(&REPLAY).code(75).says("is in use by process");
    mill.place.run(&[&REPLAY[..], &["--dry-run"]].concat()).code(0);
    mill.ollama.release_all();
    owner.ended().code(0);
}

/// The files of the first day's raw pages.
fn first_day(mill: &Mill, ending: &str) -> PathBuf {
    let raw = mill.place.archive().join("raw_scrapes/news/dt=2025-03-02");
    files_like(&raw, ending).remove(0)
}

#[test]
fn a_manifest_that_lies_is_refused_by_its_name() {
    let mill = Mill::settled();
    let warc = first_day(&mill, ".warc.gz");
    let bytes = std::fs::read(&warc).unwrap();
    let name = "part-0000.warc.gz";

    std::fs::write(&warc, [&bytes[..], b"x"].concat()).unwrap();
    refused(&mill, 2, &REPLAY, &[name, "verify"]);
    std::fs::remove_file(&warc).unwrap();
    refused(&mill, 2, &REPLAY, &[name, "is missing", "verify"]);
    // Other dates leave it out.
    let words = [&REPLAY[..], &["--since", "2025-03-03", "--dry-run"]].concat();
    assert_eq!(mill.place.json(0, &words)["items"], 4);
    std::fs::write(&warc, &bytes).unwrap();

    // The folder bears the name of another run.
    let folder = warc.parent().unwrap().to_path_buf();
    let other = folder.with_file_name("run=20250302T060000Z-ffffff");
    std::fs::rename(&folder, &other).unwrap();
    refused(&mill, 2, &REPLAY, &["20250302T060000Z-ffffff", "not to be trusted"]);
    std::fs::rename(&other, &folder).unwrap();
    assert_eq!(mill.replay()["items"]["done"], 10);
}

#[test]
fn a_file_that_is_torn_is_refused_though_its_manifest_fits() {
    let mill = Mill::settled();
    let warc = first_day(&mill, ".warc.gz");
    let bytes = std::fs::read(&warc).unwrap();
    std::fs::write(&warc, &bytes[..bytes.len() - 200]).unwrap();
    let folder = warc.parent().unwrap();
    let whole = std::fs::read(folder.join("_MANIFEST.json")).unwrap();
    resealed(folder, |manifest| {
        for file in manifest.files.iter_mut().filter(|file| file.path.ends_with(".warc.gz")) {
            file.bytes -= 200;
        }
    });
    // The index points beyond the end of the file.
    refused(&mill, 2, &REPLAY, &["part-0000", "verify"]);
    // Without the index, the file itself is read, and found torn.
    let index = first_day(&mill, ".cdxj");
    let lines = std::fs::read(&index).unwrap();
    std::fs::remove_file(&index).unwrap();
    resealed(folder, |manifest| manifest.files.retain(|file| !file.path.ends_with(".cdxj")));
    refused(&mill, 2, &REPLAY, &["part-0000.warc.gz"]);
    // Whole again but without an index: it is made from the file.
    std::fs::write(&warc, &bytes).unwrap();
    resealed(folder, |manifest| {
        manifest.files.iter_mut().for_each(|file| file.bytes = bytes.len() as u64);
    });
    let said = mill.place.json(0, &[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!(said["items"], 10, "{said:#}");
    std::fs::write(&index, lines).unwrap();
    std::fs::write(folder.join("_MANIFEST.json"), whole).unwrap();
    assert_eq!(mill.replay()["items"]["done"], 10);
}

/// Writes a manifest anew that says something else and is whole.
fn resealed(folder: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = Manifest::read(folder).unwrap().unwrap();
    change(&mut manifest);
    std::fs::remove_file(folder.join("_MANIFEST.json")).unwrap();
    manifest.write_new(folder).unwrap();
}
