//! A home has one owner at a time.

use super::bench::{Bench, rows};
use tidemill_pipeline::mill::{Home, HomeOptions};

#[tokio::test]
async fn a_second_owner_is_told_who_has_the_home_and_a_reader_is_let_in() {
    let bench = Bench::new();
    let root = bench.home().root().to_path_buf();
    let error = Home::open(&root, HomeOptions::owner()).unwrap_err();
    assert_eq!(error.reason(), "home_locked");
    assert!(error.message().contains(&format!("process {}", std::process::id())), "{error:?}");
    assert!(error.guidance().is_some());
    let reader = Home::open(&root, HomeOptions::default()).unwrap();
    assert_eq!(reader.mill(), bench.home().mill(), "reading needs no lock");
}

#[tokio::test]
async fn the_lock_is_free_again_when_its_owner_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Home::open(folder.path(), HomeOptions::owner()).unwrap();
    let mill = first.mill().to_string();
    drop(first);
    let second = Home::open(folder.path(), HomeOptions::owner()).unwrap();
    assert_eq!(second.mill(), mill, "the home keeps its mill");
    let kept = rows(second.ledger().path(), "SELECT count(*) FROM tm_meta WHERE name = 'mill'");
    assert_eq!(kept, ["1"]);
}
