//! An archive that comes back while the server is idle: what waits is brought there without a run.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::pond::{Fish, Pond};
use super::stand::{Stand, hours};
use crate::support::program::files;
use std::path::Path;
use std::time::Duration;
use tidemill_pipeline::run::open_gate;
use tidemill_pipeline::testing::rows;
use tidemill_pipeline::tier::{self, Init, atomic::rename};
use tidemill_pipeline::{Archive, Mill, Pipeline};
use tidemill_stages::sqlite::Table;

/// Its snapshot of the table goes to the archive.
fn mill(pond: &Pond, archive: &Path) -> Mill {
    let job = Pipeline::named("pond")
        .read(pond.clone())
        .store(Table::named("fish").keyed_by::<Fish>("name"))
        .offload(Archive::at(archive));
    Mill::at("mill").daily("12:30", job)
}

fn init(root: &Path) {
    std::fs::create_dir(root).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    assert!(matches!(tier::init(root, Some("nas"), now).unwrap(), Init::Made(_)));
}

/// Looks until it is so. The limit only turns a hang into a failure.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_wait_go_to_an_archive_that_comes_back_without_a_run() {
    let mut stand = Stand::at("2026-05-01T10:00:00Z");
    stand.tend_every = Duration::from_millis(20);
    let (nas, elsewhere, pond) = (stand.path("nas"), stand.path("elsewhere"), Pond::default());
    init(&nas);
    let scratch = || files(&stand.path("mill/scratch"));
    let serving = stand.serve(mill(&pond, &nas)).await;
    pond.fill(pond.shoal(1));
    stand.wall.pass(hours(1));
    serving.settled("pond", 1).await;
    assert!(scratch().is_empty(), "{:?}", scratch());
    let first = files(&nas).len();

    rename(&nas, &elsewhere).unwrap();
    pond.fill(pond.shoal(2));
    stand.wall.pass(hours(24));
    serving.settled("pond", 2).await;
    let states = || rows(serving.home.ledger().path(), "SELECT state FROM tm_runs").unwrap();
    assert_eq!(states(), ["finished", "published"]);
    assert!(!scratch().is_empty(), "its files wait");

    // Looking for it every now and then costs the disk nothing.
    let ledger = rusqlite::Connection::open(serving.home.ledger().path()).unwrap();
    let version =
        || ledger.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    until("the heartbeats arrived", || stand.post.heartbeats() == 2).await;
    let noted = || {
        rows(serving.home.ledger().path(), "SELECT 1 FROM tm_notices WHERE sent_at IS NULL")
            .unwrap()
    };
    until("that is noted", || noted().is_empty()).await;
    let before = version();
    tokio::time::sleep(10 * stand.tend_every).await;
    assert_eq!(version(), before, "somebody wrote though nothing happened");

    rename(&elsewhere, &nas).unwrap();
    until("the run is finished", || states() == ["finished", "finished"]).await;
    assert!(scratch().is_empty(), "{:?}", scratch());
    assert!(files(&nas).len() > first);
    assert_eq!(serving.log("pond").len(), 2, "no run was needed for it");
    assert_eq!(stand.post.told(), [""; 0], "it was not away for long");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_that_begin_at_the_same_moment_in_a_new_home_find_one_archive() {
    for _ in 0..20 {
        let stand = Stand::at("2026-05-01T10:00:00Z");
        let home = stand.open();
        let look = || {
            let home = std::sync::Arc::clone(&home);
            tokio::spawn(async move { open_gate(&home, &Archive::at("archive"), None).await })
        };
        let looks = [(); 8].map(|()| look());
        let mut ids = std::collections::BTreeSet::new();
        for look in looks {
            ids.insert(look.await.unwrap().unwrap().tier.unwrap().id);
        }
        assert_eq!(ids.len(), 1);
    }
}
