//! What an offload writes, what it refuses, and what verify finds out.

use super::super::atomic;
use super::super::manifest::{MANIFEST, Producer};
use super::super::{Manifest, look, runs, ship, verify};
use super::{House, RUN, day, noon, put, quiet};
use crate::Verdict;
use std::fs;

#[test]
fn a_run_lands_in_its_place_with_true_hashes() {
    let house = House::new();
    let parcel = house.usual();
    let shipped = ship(&house.tier, &parcel, &quiet).unwrap();
    let place = format!("llm_summaries/news/dt=2026-11-20/run={RUN}");
    assert_eq!(shipped.folder, house.tier.root.join(place));
    assert_eq!(shipped.bytes, 4 + (1 << 20) + 10);
    let manifest = Manifest::read(&shipped.folder).unwrap().unwrap();
    assert_eq!(manifest, shipped.manifest);
    assert_eq!((manifest.mill.as_str(), &manifest.tier), ("m1", &house.tier.id));
    let paths: Vec<&str> = manifest.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["empty.txt", "part-0000.parquet", "raw/b.bin"]);
    assert_eq!(manifest.files[1].rows, Some(3));
    // The published hashes of the empty text.
    let empty = &manifest.files[0];
    assert_eq!(&empty.sha256[..16], "e3b0c44298fc1c14");
    assert_eq!(&empty.blake3[..16], "af1349b9f5f9a1a6");
    assert!(parcel.source.join("raw/b.bin").exists(), "the source was touched");
}

#[test]
fn a_committed_run_is_never_written_over() {
    let house = House::new();
    let first = ship(&house.tier, &house.usual(), &quiet).unwrap();
    let mut parcel = house.usual();
    put(&parcel.source.join("part-0000.parquet"), b"changed");
    let error = ship(&house.tier, &parcel, &quiet).unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Halt, "committed_differs"));
    assert_eq!(fs::read(first.folder.join("part-0000.parquet")).unwrap(), b"rows");
    parcel = house.usual();
    parcel.mill = "m2".into();
    assert_eq!(ship(&house.tier, &parcel, &quiet).unwrap_err().reason(), "committed_differs");
}

#[test]
fn a_committed_run_that_rotted_does_not_count_as_a_copy() {
    let house = House::new();
    let shipped = ship(&house.tier, &house.usual(), &quiet).unwrap();
    put(&shipped.folder.join("part-0000.parquet"), b"rowz");
    let error = ship(&house.tier, &house.usual(), &quiet).unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Wait, "archive_damaged"));
}

#[test]
fn parcels_that_could_not_lie_safely_are_refused() {
    let house = House::new();
    let refuse = |change: &dyn Fn(&mut super::Parcel), reason: &str| {
        let mut parcel = house.usual();
        change(&mut parcel);
        let error = ship(&house.tier, &parcel, &quiet).unwrap_err();
        assert_eq!((error.verdict(), error.reason()), (Verdict::Halt, reason), "{error}");
    };
    refuse(&|p| p.pipeline = "../news".into(), "bad_parcel");
    refuse(&|p| p.dataset = ".tidemill".into(), "bad_parcel");
    refuse(&|p| p.files.clear(), "bad_parcel");
    refuse(&|p| p.files.push("../x".into()), "bad_parcel");
    refuse(&|p| p.files.push("/etc/passwd".into()), "bad_parcel");
    refuse(&|p| p.files.push("a:b".into()), "bad_parcel");
    refuse(&|p| p.files.push("EMPTY.txt".into()), "bad_parcel");
    refuse(&|p| p.files.push(MANIFEST.into()), "bad_parcel");
    refuse(&|p| p.files.push("none".into()), "source_missing");
    let parcel = house.usual();
    std::os::unix::fs::symlink("/etc/passwd", parcel.source.join("link")).unwrap();
    refuse(&|p| p.files.push("link".into()), "not_a_file");
    std::os::unix::fs::symlink(house.home.path(), parcel.source.join("up")).unwrap();
    refuse(&|p| p.files.push("up/nas/README.txt".into()), "not_a_file");
    assert!(runs(&house.tier).unwrap().is_empty() && house.incoming().is_empty());
}

#[test]
fn nothing_is_written_where_the_archive_is_not() {
    let house = House::new();
    atomic::rename(&house.tier.root, &house.home.path().join("unplugged")).unwrap();
    fs::create_dir(&house.tier.root).unwrap();
    let error = ship(&house.tier, &house.usual(), &quiet).unwrap_err();
    assert_eq!((error.verdict(), error.reason()), (Verdict::Wait, "archive_away"));
    assert!(super::listing(&house.tier.root).is_empty());
    assert!(!matches!(look(&house.tier.root, None), super::super::Presence::Here(_)));
}

#[test]
fn manifests_that_lie_are_errors_and_never_listed() {
    let house = House::new();
    let honest = ship(&house.tier, &house.usual(), &quiet).unwrap().manifest;
    for path in ["/etc/passwd", "../x", "a//b", "", "a/./b", "C:x", r"..\x", "_TOMBSTONE.json"] {
        let mut lying = honest.clone();
        lying.files[0].path = path.into();
        let folder = house.home.path().join("lie");
        let error = lying.write_new(&folder).unwrap_err();
        assert_eq!(error.reason(), "manifest_lies", "{path:?}");
        // The same with a seal that fits.
        let mut body = serde_json::to_vec_pretty(&lying).unwrap();
        body.push(b'\n');
        let seal = format!("{{\"blake3\":\"{}\"}}\n", blake3::hash(&body).to_hex());
        body.extend(seal.as_bytes());
        put(&folder.join(MANIFEST), &body);
        assert_eq!(Manifest::read(&folder).unwrap_err().reason(), "manifest_lies", "{path:?}");
    }
    let mut twice = honest.clone();
    twice.files[0].path = "RAW/b.bin".into();
    assert_eq!(twice.write_new(house.home.path()).unwrap_err().reason(), "manifest_lies");

    let elsewhere = house.tier.root.join("llm_summaries/news/dt=2026-11-20/run=other");
    fs::create_dir(&elsewhere).unwrap();
    honest.write_new(&elsewhere).unwrap();
    assert_eq!(runs(&house.tier).unwrap().len(), 1);
    let torn = verify(&house.tier, &mut |_| ()).unwrap().torn;
    assert!(torn[0].why.contains("another run"), "{torn:?}");
}

#[test]
fn a_link_in_the_place_of_an_artifact_is_not_followed() {
    let house = House::new();
    let shipped = ship(&house.tier, &house.usual(), &quiet).unwrap();
    let path = shipped.folder.join("empty.txt");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert_eq!(Manifest::read(&shipped.folder).unwrap_err().reason(), "not_a_file");
    assert!(runs(&house.tier).unwrap().is_empty());
}

#[test]
fn the_catalog_is_sorted_and_blind_to_litter_and_neighbours() {
    let house = House::new();
    for (dataset, run, ago) in [("sqlite", "r3", 1), ("logs", "r9", 0), ("sqlite", "r1", 2)] {
        let parcel = house.parcel(dataset, run, day(ago), &[("a", b"a")]);
        ship(&house.tier, &parcel, &quiet).unwrap();
    }
    put(&house.tier.root.join("Movies/2026/dt=2026-11-20/run=x/film.mkv"), b"film");
    put(&house.tier.root.join("sqlite/._news"), b"litter");
    put(&house.tier.root.join("sqlite/news/.DS_Store"), b"litter");
    put(&house.tier.root.join("sqlite/news/dt=yesterday/run=r/x"), b"x");
    let found = runs(&house.tier).unwrap();
    let names: Vec<String> = found.iter().map(|r| format!("{}/{}", r.dataset, r.run)).collect();
    assert_eq!(names, ["logs/r9", "sqlite/r1", "sqlite/r3"]);
    assert_eq!(found[1].manifest.producer, Producer::current());
    assert_eq!(found[1].manifest.created, noon());
}

#[test]
fn verify_names_every_file_that_is_not_as_written() {
    let house = House::new();
    let folder = ship(&house.tier, &house.usual(), &quiet).unwrap().folder;
    let place = format!("llm_summaries/news/dt=2026-11-20/run={RUN}");
    let mut seen = Vec::new();
    let report = verify(&house.tier, &mut |file| seen.push(file.path.clone())).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.runs, report.files, seen.len()), (1, 3, 3));

    let mut big = fs::read(folder.join("raw/b.bin")).unwrap();
    big[1 << 20] ^= 1;
    put(&folder.join("raw/b.bin"), &big);
    put(&folder.join("part-0000.parquet"), b"row");
    fs::remove_file(folder.join("empty.txt")).unwrap();
    put(&folder.join("stranger"), b"?");
    put(&folder.join("._stranger"), b"litter");
    let report = verify(&house.tier, &mut |_| ()).unwrap();
    let bad: Vec<(&str, &str)> =
        report.bad.iter().map(|bad| (bad.path.as_str(), bad.why.as_str())).collect();
    let path = |name: &str| format!("{place}/{name}");
    assert_eq!(
        bad,
        [
            (path("empty.txt").as_str(), "missing"),
            (path("part-0000.parquet").as_str(), "3 bytes long, not 4"),
            (path("raw/b.bin").as_str(), "other bytes than were written"),
        ]
    );
    assert_eq!(report.unlisted, [path("stranger")]);
}
