//! An archive that is away is normal; one that is unknown or another is refused before the start.

use super::archive::{committed, init, job, nothing_incoming};
use super::bench::{Bench, files};
use super::parts::{NOTES, Notes};
use std::fs::create_dir;
use std::os::unix::fs::symlink;
use tidemill_pipeline::ledger::RunState;
use tidemill_pipeline::tier::atomic::rename;

#[tokio::test]
async fn a_run_publishes_while_the_archive_is_away_and_the_next_catches_up() {
    let bench = Bench::new();
    let (nas, elsewhere) = (bench.beside("nas"), bench.beside("elsewhere"));
    let tier = init(&nas);
    let run = |text| bench.run(job(Notes::of([("a", text)]), &nas));
    let first = run("ebb").await.unwrap();

    rename(&nas, &elsewhere).unwrap();
    create_dir(&nas).unwrap();
    let mut made = vec![first.run];
    for text in ["flow", "slack"] {
        let report = run(text).await.unwrap();
        assert_eq!((report.offload.state.as_str(), report.state), ("waiting", RunState::Published));
        assert!(report.offload.note.is_some_and(|why| why.contains("not mounted")));
        assert_eq!(bench.rows(NOTES), [format!("a|{text}")], "the rows are published");
        made.push(report.run);
    }
    assert_eq!(
        std::fs::read_dir(&nas).unwrap().count(),
        0,
        "nothing is written at the mount point"
    );
    assert_eq!(bench.scratch().len(), 4, "two files of two runs wait: {:?}", bench.scratch());

    std::fs::remove_dir(&nas).unwrap();
    rename(&elsewhere, &nas).unwrap();
    let back = run("slack").await.unwrap();
    assert_eq!(back.offload.state, "done");
    assert!(bench.scratch().is_empty(), "{:?}", bench.scratch());
    let caught_up: Vec<_> = back.offload.parcels.iter().map(|parcel| parcel.run.clone()).collect();
    assert!(caught_up.is_sorted(), "oldest first: {caught_up:?}");
    made.push(back.run);
    let lines: Vec<_> = made.iter().map(|run| format!("lines {run}")).collect();
    let snapshots: Vec<_> = made.iter().take(3).map(|run| format!("sqlite {run}")).collect();
    assert_eq!(committed(&tier), [lines, snapshots].concat());
    assert!(nothing_incoming(&tier));
    assert_eq!(bench.rows("SELECT DISTINCT state FROM tm_runs"), ["finished"]);
}

#[tokio::test]
async fn a_mount_point_that_is_gone_altogether_is_away_too_even_behind_a_link() {
    let bench = Bench::new();
    let media = bench.beside("media");
    create_dir(&media).unwrap();
    let link = bench.beside("link");
    symlink(&media, &link).unwrap();
    init(&media.join("nas"));
    let run = |text| bench.run(job(Notes::of([("a", text)]), link.join("nas")));
    run("ebb").await.unwrap();
    rename(&media.join("nas"), &bench.beside("elsewhere")).unwrap();
    let report = run("flow").await.unwrap();
    assert_eq!(report.offload.state, "waiting");
    assert!(!media.join("nas").exists(), "no folder is made where a disk should be");
}

#[tokio::test]
async fn an_archive_that_was_never_initialised_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    let nas = bench.beside("nas");
    create_dir(&nas).unwrap();
    let source = Notes::of([("a", "ebb")]);
    let reads = source.reads.clone();
    let error = bench.run(job(source, &nas)).await.unwrap_err();
    assert_eq!((error.reason(), reads.count()), ("archive_new", 0), "{error:?}");
    let help = error.guidance().unwrap();
    assert!(help.contains(&format!("tidemill archive init {}", nas.display())), "{help}");
    assert!(files(&nas).is_empty());
    assert_eq!(bench.rows("SELECT count(*) FROM tm_runs"), ["0"]);
}

#[tokio::test]
async fn another_archive_in_its_place_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    let nas = bench.beside("nas");
    init(&nas);
    bench.run(job(Notes::of([("a", "ebb")]), &nas)).await.unwrap();
    rename(&nas, &bench.beside("elsewhere")).unwrap();
    init(&nas);
    let before = files(&nas);
    let source = Notes::of([("a", "flow")]);
    let reads = source.reads.clone();
    let error = bench.run(job(source, &nas)).await.unwrap_err();
    assert_eq!((error.reason(), reads.count()), ("archive_foreign", 0), "{error:?}");
    assert_eq!(files(&nas), before, "nothing is written to it");
    assert_eq!(bench.rows(NOTES), ["a|ebb"]);
}
