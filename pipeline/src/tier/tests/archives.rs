//! Which archive is there: identity, absence, strangers; and durable writing.

use super::super::atomic::{self, Staged};
use super::super::{Init, Presence, guard, init, look};
use super::{House, listing, noon, put};
use std::fs;
use std::io::Write;
use tempfile::TempDir;

#[test]
fn an_archive_is_made_once_and_keeps_its_identity() {
    let house = House::new();
    let tier = &house.tier;
    assert_eq!(tier.id.len(), 16);
    assert!(tier.root.join("README.txt").is_file());
    assert_eq!(init(&tier.root, Some("other"), noon()).unwrap(), Init::Already(tier.clone()));
    assert_eq!(look(&tier.root, None), Presence::Here(tier.clone()));
    assert_eq!(look(&tier.root, Some(&tier.id)), Presence::Here(tier.clone()));
    assert_ne!(House::new().tier.id, tier.id);
}

#[test]
fn a_shared_folder_keeps_what_was_in_it() {
    let home = TempDir::new().unwrap();
    put(&home.path().join("README.txt"), b"mine");
    assert!(matches!(init(home.path(), None, noon()).unwrap(), Init::Made(_)));
    assert_eq!(fs::read(home.path().join("README.txt")).unwrap(), b"mine");
}

#[test]
fn a_missing_parent_is_not_made_up() {
    let home = TempDir::new().unwrap();
    let error = init(&home.path().join("not-mounted/nas"), None, noon()).unwrap_err();
    assert_eq!(error.reason(), "missing");
    assert!(listing(home.path()).is_empty());
}

#[test]
fn unmounted_foreign_and_damaged_archives_are_told_apart_and_left_alone() {
    let house = House::new();
    let empty = house.home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let gone = house.home.path().join("gone");
    for place in [&empty, &gone] {
        assert_eq!(look(place, None), Presence::NeverInitialised);
        assert!(matches!(look(place, Some("abc")), Presence::Away { .. }));
    }
    assert!(listing(&empty).is_empty() && !gone.exists());
    let Presence::Foreign { found, known } = look(&house.tier.root, Some("abc")) else {
        panic!("a foreign archive was taken for the known one");
    };
    assert_eq!((found.id, known.as_str()), (house.tier.id.clone(), "abc"));

    let marker = house.tier.root.join(".tidemill/tier.json");
    for torn in [&b""[..], b"{\"format\":1,", b"{\"format\":9,\"id\":\"x\",\"label\":null}", &[255]]
    {
        put(&marker, torn);
        assert!(matches!(look(&house.tier.root, Some(&house.tier.id)), Presence::Away { .. }));
        assert!(matches!(look(&house.tier.root, None), Presence::Away { .. }));
        assert_eq!(init(&house.tier.root, None, noon()).unwrap_err().reason(), "archive_damaged");
        assert_eq!(guard::recheck(&house.tier).unwrap_err().reason(), "archive_away");
        assert_eq!(fs::read(&marker).unwrap(), torn);
    }
}

#[test]
fn another_disk_in_the_same_place_is_noticed() {
    let (house, other) = (House::new(), House::new());
    fs::remove_dir_all(&house.tier.root).unwrap();
    atomic::rename(&other.tier.root, &house.tier.root).unwrap();
    assert_eq!(guard::recheck(&house.tier).unwrap_err().reason(), "archive_foreign");
}

#[test]
fn writes_appear_whole_or_not_at_all() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("a.txt");
    atomic::write_new(&path, b"one").unwrap();
    assert_eq!(atomic::write_new(&path, b"two").unwrap_err().reason(), "exists");
    atomic::replace(&path, b"three").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"three");
    let other = home.path().join("b.txt");
    atomic::write_new(&other, b"b").unwrap();
    assert_eq!(atomic::rename(&path, &other).unwrap_err().reason(), "exists");
    assert_eq!(fs::read(&other).unwrap(), b"b");

    let mut staged = Staged::create(&home.path().join("c.txt")).unwrap();
    staged.write_all(b"half").unwrap();
    assert!(home.path().join(".c.txt.temp").exists() && !home.path().join("c.txt").exists());
    drop(staged);
    assert_eq!(listing(home.path()).len(), 2);
    put(&home.path().join(".c.txt.temp"), b"left by a crash, longer than the new content");
    let mut staged = Staged::create(&home.path().join("c.txt")).unwrap();
    staged.write_all(b"whole").unwrap();
    staged.commit().unwrap();
    assert_eq!(fs::read(home.path().join("c.txt")).unwrap(), b"whole");
    let again = Staged::create(&home.path().join("c.txt")).unwrap();
    assert_eq!(again.commit().unwrap_err().reason(), "exists");
    assert_eq!(fs::read(home.path().join("c.txt")).unwrap(), b"whole");
    assert!(atomic::make_folders(home.path(), "../out".as_ref()).is_err());
}
