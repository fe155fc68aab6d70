//! An offload killed before each of its steps, and from every state that a crash can leave.

use super::super::atomic;
use super::super::manifest::MANIFEST;
use super::super::{Manifest, runs, ship, verify};
use super::{House, listing, put, quiet};
use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Ships with a heart that stops at the `n`th beat; says whether it got through before.
fn killed_at(house: &House, n: u32) -> bool {
    let left = Cell::new(n);
    let beat = || match left.get() {
        0 => resume_unwind(Box::new("killed")),
        more => left.set(more - 1),
    };
    catch_unwind(AssertUnwindSafe(|| ship(&house.tier, &house.usual(), &beat).unwrap())).is_ok()
}

fn assert_whole(house: &House, context: &str) {
    let found = runs(&house.tier).unwrap();
    assert_eq!(found.len(), 1, "{context}");
    let parcel = house.usual();
    for path in &parcel.files {
        let (here, there) = (parcel.source.join(path), found[0].folder.join(path));
        assert_eq!(fs::read(here).unwrap(), fs::read(there).unwrap(), "{context}: {path}");
    }
    let report = verify(&house.tier, &mut |_| ()).unwrap();
    assert!(report.is_sound() && report.torn.is_empty(), "{context}: {report:?}");
    assert!(report.unlisted.is_empty(), "{context}");
    assert!(house.incoming().is_empty(), "{context}");
}

#[test]
fn killed_at_any_step_the_next_try_completes_it() {
    let mut steps = 0;
    loop {
        let house = House::new();
        let through = killed_at(&house, steps);
        let torn = verify(&house.tier, &mut |_| ()).unwrap();
        assert!(torn.is_sound(), "killed at step {steps}: {torn:?}");
        ship(&house.tier, &house.usual(), &quiet).unwrap();
        assert_whole(&house, &format!("killed at step {steps}"));
        assert!(ship(&house.tier, &house.usual(), &quiet).unwrap().already);
        if through {
            break;
        }
        steps += 1;
    }
    assert!(steps > 15, "only {steps} steps were tried");
}

#[test]
fn a_disk_that_goes_away_at_any_step_leaves_its_mount_point_empty() {
    for n in 1.. {
        let house = House::new();
        let (root, away) = (&house.tier.root, house.home.path().join("unplugged"));
        let beats = Cell::new(0);
        let beat = || {
            beats.set(beats.get() + 1);
            if beats.get() == n {
                atomic::rename(root, &away).unwrap();
                fs::create_dir(root).unwrap();
            }
        };
        let result = ship(&house.tier, &house.usual(), &beat);
        if beats.get() < n {
            break;
        }
        assert!(listing(root).is_empty(), "step {n} wrote to {:?}", listing(root));
        // After the last step the run is committed; before, the absence is the reason told.
        if let Err(error) = result {
            assert_eq!(error.reason(), "archive_away", "step {n}: {error}");
        }
        fs::remove_dir(root).unwrap();
        atomic::rename(&away, root).unwrap();
        ship(&house.tier, &house.usual(), &quiet).unwrap();
        assert_whole(&house, &format!("unplugged at step {n}"));
    }
}

#[test]
fn killed_twice_the_third_try_completes_it() {
    for first in 0..24 {
        let house = House::new();
        killed_at(&house, first);
        killed_at(&house, 20 - first.min(20));
        ship(&house.tier, &house.usual(), &quiet).unwrap();
        assert_whole(&house, &format!("killed at {first} first"));
    }
}

#[test]
fn a_manifest_torn_at_any_byte_counts_as_absent_and_is_written_again() {
    let house = House::new();
    let shipped = ship(&house.tier, &house.usual(), &quiet).unwrap();
    let path = shipped.folder.join(MANIFEST);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        put(&path, &whole[..length]);
        assert_eq!(Manifest::read(&shipped.folder).unwrap(), None, "cut to {length}");
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        put(&path, &flipped);
        assert_eq!(Manifest::read(&shipped.folder).unwrap(), None, "flipped at {at}");
    }
    let again = ship(&house.tier, &house.usual(), &quiet).unwrap();
    assert!(!again.already);
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert!(!house.trash().join("llm_summaries").exists());
}

#[test]
fn an_uncommitted_folder_with_other_content_is_set_aside() {
    let house = House::new();
    let shipped = ship(&house.tier, &house.usual(), &quiet).unwrap();
    for round in 1..=2 {
        fs::remove_file(shipped.folder.join(MANIFEST)).unwrap();
        put(&shipped.folder.join("raw/b.bin"), b"torn");
        assert!(!ship(&house.tier, &house.usual(), &quiet).unwrap().already);
        assert_whole(&house, "after setting aside");
        let aside = listing(&house.trash().join("llm_summaries/news"));
        assert_eq!(aside.len(), round);
        assert_eq!(fs::read(aside[0].join("raw/b.bin")).unwrap(), b"torn");
    }
}

#[test]
fn leftovers_of_other_parcels_stay() {
    let house = House::new();
    let other = house.tier.root.join(".tidemill/incoming/other-run");
    put(&other.join("x"), b"x");
    ship(&house.tier, &house.usual(), &quiet).unwrap();
    assert_eq!(house.incoming(), [other]);
}
