//! Who does not look is told: what failed, what is set aside, what stays away, what is unusual; and
//! that all is well.

use super::pond::{Fish, Pond};
use super::stand::{Serving, Stand, hours};
use chrono::TimeDelta;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{Error, Job, Mill, Pipeline};
use tidemill_stages::sqlite::Table;

/// Lets another day pass, in which the job runs once.
async fn day(stand: &Stand, serving: &Serving, number: usize) {
    stand.wall.pass(hours(24));
    serving.settled("pond", number).await;
    assert!(
        serving.log("pond")[number - 1].ends_with("|fired|published"),
        "{:?}",
        serving.log("pond")
    );
}

/// Days on which three fish are new.
async fn days(stand: &Stand, serving: &Serving, pond: &Pond, count: usize) {
    for number in 1..=count {
        pond.fill(pond.shoal(number));
        day(stand, serving, number).await;
    }
}

fn mill(job: impl Into<Job>) -> Mill {
    Mill::at("mill").daily("06:00", job)
}

/// Fish whose name begins with `b` are set aside while the flag is up.
fn picky(pond: &Pond, flag: &Arc<AtomicBool>) -> Job {
    let flag = Arc::clone(flag);
    let job = Pipeline::named("pond").read(pond.clone()).map(move |fish: Fish| {
        let up = flag.load(SeqCst);
        async move {
            match up && fish.name.starts_with('b') {
                true => Err(Error::park("no bream today").because("no_bream")),
                false => Ok(fish),
            }
        }
    });
    job.store(Table::named("fish").keyed_by("name")).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_are_set_aside_are_told_of_and_each_run_is_a_heartbeat() {
    let mut stand = Stand::at("2026-05-01T10:00:00Z");
    stand.limits.parked = 1;
    let (pond, flag) = (Pond::default(), Arc::new(AtomicBool::new(true)));
    let serving = stand.serve(mill(picky(&pond, &flag))).await;
    days(&stand, &serving, &pond, 2).await;
    stand.post.count(1).await;
    let told = stand.post.told();
    assert_eq!(
        told,
        ["parked: pond: 2 items are set aside, 1 of them in this run"],
        "over the limit of one"
    );
    assert_eq!(stand.post.heartbeats(), 2);
    let text = serde_json::to_string(&*stand.post.arrived.lock().unwrap()).unwrap();
    assert!(!text.contains("bream"), "no text of pages: {text}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dries_up_is_told_of() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, flag) = (Pond::default(), Arc::default());
    let serving = stand.serve(mill(picky(&pond, &flag))).await;
    days(&stand, &serving, &pond, 4).await;
    day(&stand, &serving, 5).await; // nothing new: a quiet day
    assert_eq!(stand.post.told(), [""; 0]);
    pond.fill(vec![]);
    day(&stand, &serving, 6).await;
    stand.post.count(1).await;
    let told = stand.post.told().join("\n");
    assert!(
        told.starts_with("yield: pond: the source yielded nothing; the last 5 runs had 3"),
        "{told}"
    );
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_comes_out_empty_all_at_once_is_told_of() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, flag) = (Pond::default(), Arc::default());
    let serving = stand.serve(mill(picky(&pond, &flag))).await;
    days(&stand, &serving, &pond, 4).await;
    // The site was made anew, and nobody finds the title any more.
    let untitled = pond.shoal(5).into_iter().map(|fish| Fish { title: None, ..fish });
    pond.fill(untitled.collect());
    day(&stand, &serving, 5).await;
    stand.post.count(1).await;
    let told = stand.post.told().join("\n");
    assert!(
        told.starts_with("yield: pond: `title` of table fish came out empty in all 3 rows"),
        "{told}"
    );
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_stays_away_is_told_of_once_a_day() {
    let mut stand = Stand::at("2026-05-01T10:00:00Z");
    stand.tend_every = std::time::Duration::from_millis(20);
    let pond = Pond::default();
    pond.fill(pond.shoal(1));
    let job = Pipeline::named("pond").read(pond.clone()).map(|fish: Fish| async move {
        match fish.name.starts_with('b') {
            true => Err(Error::wait("no model is there").because("model_away")),
            false => Ok(fish),
        }
    });
    let serving = stand.serve(mill(job)).await;
    day(&stand, &serving, 1).await;
    // Since six in the morning it waits: the limit is a day.
    stand.wall.pass(hours(10));
    serving.looked().await;
    assert_eq!(stand.post.told(), [""; 0]);
    day(&stand, &serving, 2).await;
    stand.post.count(1).await;
    stand.wall.pass(TimeDelta::minutes(30));
    day(&stand, &serving, 3).await;
    stand.post.count(2).await;
    let told = stand.post.told();
    assert!(told[0].starts_with("away: pond: 1 items wait, for "), "{told:?}");
    assert_eq!(told.len(), 2, "once a day: {told:?}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_cannot_be_sent_waits_even_for_the_next_server() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, flag) = (Pond::default(), Arc::default());
    *stand.post.is_shut.lock().unwrap() = true;
    let serving = stand.serve(mill(picky(&pond, &flag))).await;
    pond.fill(pond.shoal(1));
    day(&stand, &serving, 1).await;
    let tried = "SELECT 1 FROM tm_notices WHERE tries > 0";
    let ledger = serving.home.ledger().path().to_path_buf();
    while tidemill_pipeline::testing::rows(&ledger, tried).unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    serving.stop().await;
    assert_eq!(stand.post.heartbeats(), 0);
    *stand.post.is_shut.lock().unwrap() = false;
    stand.wall.shift(hours(1));
    let serving = stand.serve(mill(picky(&pond, &flag))).await;
    while stand.post.heartbeats() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    serving.stop().await;
}
