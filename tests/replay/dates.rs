//! Dates: a replay's files lie where the pages lie that they were made from.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::place::Mill;
#[cfg(feature = "dataset")]
use super::place::parquet;
use super::site::put;
use super::world::{FIRST, NEWS, Recipe, World};
use crate::support::program::{ended, python};
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use tidemill::prelude::*;
use tidemill_pipeline::replay::{Only, Selection};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::tier::{ArchivedRun, runs, verify};

const SHORTER: Recipe = Recipe { words: 50, ..FIRST };
const DAYS: [&str; 3] = ["2025-03-02", "2025-03-03", "2025-03-04"];

/// Four pages on the first day, two more on the second; on the third one of the first is another.
async fn three_days() -> World {
    let world = World::new();
    world.web.grow(3);
    put(&world.web, "ebb", 30);
    world.day(FIRST).await;
    world.web.grow(5);
    world.day(FIRST).await;
    world.web.revise(1, 55);
    world.day(FIRST).await;
    world
}

/// The replay's folders of its own dataset, by date.
fn folders(world: &World, run: &str) -> BTreeMap<NaiveDate, ArchivedRun> {
    let all = runs(&world.tier()).unwrap().into_iter();
    let own = all.filter(|folder| folder.run == run && folder.dataset == "llm_summaries");
    own.map(|folder| (folder.dt, folder)).collect()
}

fn days(days: &[&str]) -> BTreeSet<NaiveDate> {
    days.iter().map(|day| day.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_lie_under_the_dates_of_their_pages_each_with_its_manifest() {
    let world = three_days().await;
    world.next_day();
    let report = world.replay(SHORTER, Only::Stale).await.unwrap();
    assert_eq!(report.dt, "2025-03-05", "the run itself is of its own day");
    let found = folders(&world, &report.run);
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), days(&DAYS));
    let entries = |day: &str| {
        let folder = &found[&day.parse::<NaiveDate>().unwrap()].folder;
        let html = std::fs::read_to_string(folder.join("digest.html")).unwrap();
        html.matches("<article").count()
    };
    assert_eq!(DAYS.map(entries), [3, 2, 1], "the newest version of each page, under its own day");
    #[cfg(feature = "dataset")]
    {
        let keys = |day: &str| {
            let file = found[&day.parse::<NaiveDate>().unwrap()].files_ending(".parquet").next();
            parquet(&file.unwrap(), &["_key"])
        };
        assert_eq!(keys(DAYS[2]), [world.web.url("/articles/1")]);
        assert_eq!(keys(DAYS[0]).len(), 3);
    }
    let checked = verify(&world.tier(), &mut |_| ()).unwrap();
    assert!(checked.is_sound() && checked.unlisted.is_empty(), "{checked:?}");
    let logs = runs(&world.tier()).unwrap().into_iter();
    let logs: Vec<_> = logs.filter(|f| f.run == report.run && f.dataset == "logs").collect();
    assert!(logs.iter().all(|folder| folder.dt == "2025-03-05".parse().unwrap()), "{logs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_dates_takes_its_own_pages_and_leaves_the_others() {
    let world = three_days().await;
    let selection = Selection {
        since: Some(DAYS[1].parse().unwrap()),
        until: Some(DAYS[1].parse().unwrap()),
        only: Only::Stale,
        ..Selection::of("raw_scrapes")
    };
    let said = world.foresee_of(SHORTER, selection.clone()).await;
    assert_eq!((said.runs, said.versions, said.items), (1, 2, 2), "{said:?}");
    let report = world.replay_of(SHORTER, selection).await.unwrap().unwrap();
    let found: BTreeSet<_> = folders(&world, &report.run).into_keys().collect();
    assert_eq!(found, days(&DAYS[1..2]));
    // Of a page with a newer version, the older one is not worked on: not even when only its day is.
    let first = Selection {
        until: Some(DAYS[0].parse().unwrap()),
        only: Only::Stale,
        ..Selection::of("raw_scrapes")
    };
    let said = world.foresee_of(SHORTER, first.clone()).await;
    assert_eq!((said.versions, said.superseded, said.items), (4, 1, 3), "{said:?}");
    let new = world.web.url("/articles/1");
    let row = format!("SELECT summary FROM digests WHERE url = '{new}'");
    let was = world.rows(&row);
    world.replay_of(SHORTER, first).await.unwrap().unwrap();
    assert_eq!(world.rows(&row), was);
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_first_and_a_limit_take_the_archive_in_portions() {
    let world = three_days().await;
    let portion = Selection {
        newest_first: true,
        limit: Some(2),
        only: Only::Stale,
        ..Selection::of("raw_scrapes")
    };
    let mut taken = Vec::new();
    while let Some(report) = world.replay_of(SHORTER, portion.clone()).await.unwrap() {
        let found = folders(&world, &report.run).into_keys().map(|dt| dt.to_string());
        taken.push((report.items.done, found.collect::<Vec<_>>()));
    }
    let expected = [
        (2, vec![DAYS[1].to_owned(), DAYS[2].to_owned()]),
        (2, vec![DAYS[0].to_owned(), DAYS[1].to_owned()]),
        (2, vec![DAYS[0].to_owned()]),
    ];
    assert_eq!(taken, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_of_a_key_is_that_of_the_replay() {
    let Some(python) = python("the newest version per key by DuckDB") else { return };
    if !cfg!(feature = "dataset") {
        return;
    }
    let world = three_days().await;
    let report = world.replay(SHORTER, Only::Stale).await.unwrap();
    let glob = world.archive().join("llm_summaries/*/dt=*/run=*/*.parquet");
    let script = "import duckdb, sys; print(duckdb.sql(f\"select count(*), min(_run), max(_run) from \
         (select * from read_parquet('{sys.argv[1]}', hive_partitioning=true, union_by_name=true) \
          qualify row_number() over (partition by _key order by _run desc) = 1)\").fetchall()[0])";
    let said = Command::new(python).args(["-c", script]).arg(glob).output().unwrap();
    let said = ended(said).code(0).stdout;
    assert_eq!(said.trim(), format!("(6, '{0}', '{0}')", report.run));
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_takes_all_dates_of_a_replay_or_none() {
    let world = three_days().await;
    let report = world.replay(SHORTER, Only::Stale).await.unwrap();
    assert_eq!(folders(&world, &report.run).len(), 3);
    let prune = |days: u32| Order::Prune {
        policies: vec![(NEWS.into(), Archive::at("archive").increments(Keep::days(days)))],
        place: None,
        yes: true,
    };
    world.home.carry_out(prune(3)).await.unwrap();
    assert_eq!(folders(&world, &report.run).len(), 3, "it is of today");
    (0..9).for_each(|_| world.next_day());
    let pruned = world.home.carry_out(prune(5)).await.unwrap();
    let gone = pruned["decisions"].as_array().unwrap();
    assert!(gone.iter().any(|line| line["run"] == report.run.as_str()), "{pruned:#}");
    assert_eq!(folders(&world, &report.run).len(), 0);
    let left = crate::support::program::files(&world.archive().join("llm_summaries"));
    let left: Vec<_> = left.iter().filter(|f| f.to_string_lossy().contains(&report.run)).collect();
    assert!(left.is_empty(), "{left:?}");
    let checked = verify(&world.tier(), &mut |_| ()).unwrap();
    assert!(checked.is_sound() && checked.torn.is_empty(), "{checked:?}");
}

#[test]
fn a_replay_by_the_program_is_verified_pruned_and_listed_like_any_run() {
    let mill = Mill::stale();
    let report = mill.replay();
    let run = report["run"].as_str().unwrap();
    mill.place.run(&["verify"]).code(0);
    let shown = mill.place.run(&["runs", "show", run]).code(0);
    assert!(shown.stdout.contains(run), "{}", shown.stdout);
    let pruned = mill.place.json(0, &["prune", "--dry-run"]);
    assert!(pruned.to_string().contains(run), "{pruned:#}");
}
