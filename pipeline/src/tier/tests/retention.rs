//! Pruning, the archive's trash, and scratch.

use super::super::prune::Scope;
use super::super::{prune, purge_trash, runs, ship, verify};
use super::{House, day, noon, put, quiet};
use crate::keep::{Decision, Keep, Kept, plan_snapshots};
use chrono::TimeDelta;
use std::fs;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

fn scope() -> Scope {
    Scope { mill: "m1".into(), pipeline: "news".into(), dataset: "sqlite".into() }
}

/// Ten daily snapshots, and one of another mill.
fn ten_days() -> House {
    let house = House::new();
    for ago in 0..10 {
        let run = format!("r{ago}");
        let parcel = house.parcel("sqlite", &run, day(ago), &[("news.sqlite", b"copy")]);
        ship(&house.tier, &parcel, &quiet).unwrap();
    }
    let mut other = house.parcel("sqlite", "theirs", day(9), &[("news.sqlite", b"copy")]);
    other.mill = "m2".into();
    ship(&house.tier, &other, &quiet).unwrap();
    house
}

fn plan(house: &House, daily: u32) -> Vec<Decision> {
    let kept: Vec<Kept> = runs(&house.tier)
        .unwrap()
        .into_iter()
        .map(|run| Kept { run: run.run, at: run.dt.and_hms_opt(6, 0, 0).unwrap(), pinned: false })
        .collect();
    plan_snapshots(&kept, &Keep::daily(daily), noon().naive_utc()).unwrap()
}

#[test]
fn runs_go_by_tombstone_trash_grace_and_purge() {
    let house = ten_days();
    let decisions = plan(&house, 3);
    let pruned = prune(&house.tier, &scope(), &decisions, noon()).unwrap();
    assert_eq!((pruned.runs.len(), pruned.bytes, pruned.kept), (7, 28, 3));
    let left: Vec<String> = runs(&house.tier).unwrap().into_iter().map(|r| r.run).collect();
    assert_eq!(left, ["theirs", "r2", "r1", "r0"], "another mill's run was touched, or a kept one");
    let stone = house.trash().join("sqlite/news/run=r5/_TOMBSTONE.json");
    assert!(fs::read_to_string(stone).unwrap().contains("outside daily 3"));
    assert_eq!(prune(&house.tier, &scope(), &decisions, noon()).unwrap().runs.len(), 0);

    let nearly = noon() + TimeDelta::days(7) - TimeDelta::seconds(1);
    assert_eq!(purge_trash(&house.tier, "m1", nearly, GRACE).unwrap().waiting, 7);
    let after = noon() + TimeDelta::days(7);
    assert_eq!(purge_trash(&house.tier, "m2", after, GRACE).unwrap().runs, 0);
    let purged = purge_trash(&house.tier, "m1", after, GRACE).unwrap();
    assert_eq!((purged.runs, purged.bytes, purged.waiting), (7, 28, 0));
    assert_eq!(purge_trash(&house.tier, "m1", after, GRACE).unwrap().runs, 0);
    assert!(verify(&house.tier, &mut |_| ()).unwrap().is_sound());
}

#[test]
fn an_interrupted_move_or_purge_is_finished() {
    let house = ten_days();
    let folder = house.tier.root.join(format!("sqlite/news/dt={}/run=r9", day(9)));
    let stone = r#"{"mill":"m1","pipeline":"news","dataset":"sqlite","run":"r9","at":"2026-11-01T00:00:00Z","reasons":["x"]}"#;
    put(&folder.join("_TOMBSTONE.json"), stone.as_bytes());
    assert_eq!(runs(&house.tier).unwrap().len(), 10, "a run on its way out is still listed");
    let pruned = prune(&house.tier, &scope(), &[], noon()).unwrap();
    assert_eq!((pruned.runs, pruned.kept), (vec!["r9".to_owned()], 9));

    let trashed = house.trash().join("sqlite/news/run=r9");
    fs::remove_file(trashed.join("news.sqlite")).unwrap();
    fs::remove_file(trashed.join("_MANIFEST.json")).unwrap();
    let unmarked = house.trash().join("sqlite/news/run=unknown");
    put(&unmarked.join("data"), b"?");
    fs::create_dir(house.trash().join("sqlite/news/run=empty")).unwrap();
    let purged = purge_trash(&house.tier, "m1", noon(), GRACE).unwrap();
    assert_eq!((purged.runs, purged.unmarked), (1, vec![unmarked.clone()]));
    assert_eq!(super::listing(&house.trash().join("sqlite/news")), [unmarked]);
}

#[test]
fn a_plan_that_keeps_nothing_is_refused() {
    let house = ten_days();
    let mut decisions = plan(&house, 3);
    decisions.iter_mut().for_each(|d| d.keep = false);
    let error = prune(&house.tier, &scope(), &decisions, noon()).unwrap_err();
    assert_eq!(error.reason(), "prune_all");
    assert_eq!(runs(&house.tier).unwrap().len(), 11);
}

#[test]
fn scratch_retires_and_purges() {
    let house = House::new();
    let parcel = house.usual();
    let (dataset, pipeline, run) = ("llm_summaries", "news", parcel.run.as_str());
    put(&house.scratch.root.join(".DS_Store"), b"litter");
    let before = house.scratch.leftovers().unwrap();
    assert_eq!((before.len(), before[0].trashed), (1, false));
    assert_eq!(before[0].folder, parcel.source);
    assert!(house.scratch.retire(dataset, pipeline, run).unwrap());
    assert!(!house.scratch.retire(dataset, pipeline, run).unwrap());
    let after = house.scratch.leftovers().unwrap();
    assert_eq!((after.len(), after[0].trashed, after[0].run.as_str()), (1, true, run));
    assert!(house.scratch.trash(dataset, pipeline, run).join("raw/b.bin").exists());
    let parcel = house.usual();
    assert_eq!(house.scratch.retire(dataset, pipeline, run).unwrap_err().reason(), "exists");
    assert!(parcel.source.join("raw/b.bin").exists());
    house.scratch.purge(dataset, pipeline, run).unwrap();
    house.scratch.purge(dataset, pipeline, run).unwrap();
    assert_eq!(house.scratch.leftovers().unwrap().len(), 1);
    let outside = house.scratch.folder("../x", "/etc", "..");
    assert!(
        outside.starts_with(&house.scratch.root) && !outside.to_string_lossy().contains("/../")
    );
}
