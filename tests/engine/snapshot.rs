//! Behind the publish: a snapshot of the tables, everything in the archive, nothing on scratch.

use super::archive::{at, committed, job, nothing_incoming};
use super::bench::{Bench, rows};
use super::parts::Notes;
use tidemill_pipeline::ledger::RunState;
use tidemill_pipeline::tier;

#[tokio::test]
async fn a_run_leaves_verified_files_in_the_archive_and_none_on_scratch() {
    let bench = Bench::new();
    let report = bench.run(job(Notes::of([("a", "ebb"), ("b", "flow")]), "archive")).await.unwrap();
    assert_eq!((report.offload.state.as_str(), report.state), ("done", RunState::Finished));
    assert!(report.offload.same_disk, "an archive in the home is no backup");
    assert!(bench.scratch().is_empty(), "{:?}", bench.scratch());

    let tier = at(&bench.home().root().join("archive"));
    let expected = [format!("lines {}", report.run), format!("sqlite {}", report.run)];
    assert_eq!(committed(&tier), expected);
    assert!(nothing_incoming(&tier));
    let lines = &tier::runs(&tier).unwrap()[0];
    let text = std::fs::read_to_string(lines.folder.join("part-0000.txt")).unwrap();
    assert_eq!(text, "a ebb\nb flow\n");
    assert_eq!(
        (lines.manifest.mill.as_str(), lines.dt.to_string()),
        (bench.home().mill(), report.dt)
    );
}

#[tokio::test]
async fn a_snapshot_is_sound_and_holds_only_the_published_tables() {
    let bench = Bench::new();
    bench.run(job(Notes::of([("a", "ebb"), ("b", "flow")]), "archive")).await.unwrap();
    let tier = at(&bench.home().root().join("archive"));
    let runs = tier::runs(&tier).unwrap();
    let snapshot = runs.iter().find(|run| run.dataset == "sqlite").unwrap();
    let file = snapshot.folder.join("tides.sqlite");
    assert_eq!(rows(&file, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(rows(&file, "SELECT name FROM sqlite_schema WHERE type = 'table'"), ["notes"]);
    let all = "SELECT * FROM notes ORDER BY key";
    assert_eq!(rows(&file, all), bench.rows(all));
}

#[tokio::test]
async fn a_snapshot_is_written_only_when_rows_changed() {
    let bench = Bench::new();
    let run = |text| bench.run(job(Notes::of([("a", text)]), "archive"));
    let first = run("ebb").await.unwrap();
    let second = run("ebb").await.unwrap();
    assert_eq!(second.changed_rows, 0);
    let third = run("flow").await.unwrap();
    let mut snapshots = committed(&at(&bench.home().root().join("archive")));
    snapshots.retain(|run| run.starts_with("sqlite"));
    assert_eq!(snapshots, [format!("sqlite {}", first.run), format!("sqlite {}", third.run)]);
}

#[tokio::test]
async fn of_two_runs_of_the_same_second_the_later_ones_snapshot_is_the_newest() {
    let bench = Bench::new();
    let run = |text| bench.run(job(Notes::of([("a", text)]), "archive"));
    run("ebb").await.unwrap();
    run("flow").await.unwrap();
    bench.turn_clock(chrono::TimeDelta::days(-1) + chrono::TimeDelta::milliseconds(300));
    let third = run("slack").await.unwrap();
    let snapshots = committed(&at(&bench.home().root().join("archive")));
    assert!(snapshots.contains(&format!("sqlite {}", third.run)), "{snapshots:?}");
}

#[tokio::test]
async fn a_pipeline_without_an_archive_leaves_nothing_on_scratch() {
    let bench = Bench::new();
    for text in ["ebb", "flow"] {
        let pipeline = tidemill_pipeline::Pipeline::named("bare").read(Notes::of([("a", text)]));
        bench.run(pipeline.store(super::parts::table())).await.unwrap();
    }
    assert!(bench.scratch().is_empty(), "{:?}", bench.scratch());
}
