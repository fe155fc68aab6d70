//! What goes wrong beside the clock: runs that cannot begin, panics, other programs on the home, letters
//! that nobody waits for.

use super::pond::{Fish, Pond, held};
use super::stand::{Stand, hours};
use chrono::TimeDelta;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tidemill_pipeline::clock::{CatchUp, Clock};
use tidemill_pipeline::mill::Planned;
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::serve::{Order, letters};
use tidemill_pipeline::testing::{Lines, rows};
use tidemill_pipeline::{
    Context, Error, Fingerprint, Job, Mill, Pipeline, Result, ResultExt, Stage, Step,
};
use tokio::sync::Semaphore;

fn lines(name: &str) -> Job {
    Pipeline::named(name).read(Lines::of(["ebb"])).into()
}

/// A stage that is prepared as the test says.
#[derive(Clone)]
struct Prepared(Arc<dyn Fn() -> Result<Fingerprint> + Send + Sync>);

impl Step for Prepared {
    fn name(&self) -> &str {
        "prepared"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }

    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        (self.0)()
    }
}

impl Stage<Fish> for Prepared {
    type Out = Fish;

    async fn run(&self, fish: Fish, _cx: &Context) -> Result<Fish> {
        Ok(fish)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_that_cannot_go_on_is_told_of_once() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, gate) = (Pond::default(), Arc::new(Semaphore::new(0)));
    pond.fill(pond.shoal(1));
    let (away, held) = (Arc::new(AtomicBool::new(false)), Arc::clone(&gate));
    let is_away = Arc::clone(&away);
    let prepared = Prepared(Arc::new(move || match is_away.load(SeqCst) {
        true => Err(Error::halt("the model is not there").because("model_missing")),
        false => Ok(Fingerprint::nothing()),
    }));
    let job = Pipeline::named("pond").read(pond.clone()).then(prepared);
    let job = Job::from(job.map_with(held, |gate, fish: Fish| async move {
        gate.acquire().await.or_halt()?.forget();
        Ok(fish)
    }));
    let mill = || Mill::at("mill").job(job.clone());
    let serving = stand.serve(mill()).await;
    let ordered = tokio::spawn({
        let (home, job) = (Arc::clone(&serving.home), job.clone());
        async move { home.run(&job, RunOptions::default()).await }
    });
    let ledger = serving.home.ledger().path().to_path_buf();
    let begun = "SELECT 1 FROM tm_items";
    while rows(&ledger, begun).unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ordered.abort();
    let _ = ordered.await; // it was cancelled
    serving.kill().await;
    away.store(true, SeqCst);
    let serving = stand.serve(mill()).await;
    stand.post.count(1).await;
    serving.looked().await;
    serving.looked().await;
    let told = stand.post.told();
    assert_eq!(told, ["failed: pond: the run failed (model_missing)"], "once");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_the_run_and_not_the_server() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let pond = Pond::default();
    let prepared = Prepared(Arc::new(|| panic!("of all things")));
    let job = Pipeline::named("pond").read(pond.clone()).then(prepared);
    let serving = stand
        .serve(Mill::at("mill").daily("12:30", job).retries(0).daily("12:30", lines("news")))
        .await;
    stand.wall.pass(hours(1));
    serving.settled("pond", 1).await;
    serving.settled("news", 1).await;
    assert!(serving.log("pond")[0].contains("of all things"), "{:?}", serving.log("pond"));
    stand.post.count(1).await;
    assert_eq!(stand.post.told(), ["failed: pond: the run failed (panicked)"]);
    stand.wall.pass(hours(24));
    serving.settled("pond", 2).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_day_that_waits_for_its_turn_is_not_run_twice() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, gate) = (Pond::default(), Arc::new(Semaphore::new(0)));
    pond.fill(pond.shoal(1));
    let job = held("pond", &pond, &gate);
    let serving = stand.serve(Mill::at("mill").daily("12:30", job.clone())).await;
    stand.wall.pass(hours(1));
    serving.until("pond", |log| log.len() == 1).await;
    // It is at work; somebody asks for the same time by hand.
    let (home, planned) = (Arc::clone(&serving.home), Planned::by_hand(job));
    let by_hand =
        tokio::spawn(
            async move { home.run_at(&planned, "2026-05-01", RunOptions::default()).await },
        );
    gate.add_permits(100);
    let refused = by_hand.await.unwrap().unwrap_err();
    assert!(matches!(refused.reason(), "has_its_run" | "usage"), "{refused}");
    serving.settled("pond", 1).await;
    assert_eq!(serving.log("pond"), ["2026-05-01T12:30:00|fired|published"]);
    let runs = rows(serving.home.ledger().path(), "SELECT count(*) FROM tm_runs").unwrap();
    assert_eq!(runs, ["1"]);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_that_serves_the_home_leaves_alone_what_it_does_not_have() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let own = || Mill::at("mill").daily("12:30", lines("news"));
    stand.serve(own()).await.stop().await;
    // Another program serves for three days.
    let serving = stand.serve(Mill::at("mill")).await;
    for _ in 0..3 {
        stand.wall.pass(hours(24));
        serving.looked().await;
    }
    assert_eq!(serving.log("news"), [""; 0]);
    assert_eq!(stand.post.told(), [""; 0]);
    serving.stop().await;
    let serving = stand.serve(own()).await;
    serving.settled("news", 3).await;
    assert_eq!(serving.log("news")[2], "2026-05-03T12:30:00|fired|published");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_up_for_others_is_not_swallowed_by_the_run_that_goes_on() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, gate) = (Pond::default(), Arc::new(Semaphore::new(0)));
    pond.fill(pond.shoal(1));
    let job = held("pond", &pond, &gate);
    let mill = || Mill::at("mill").daily("12:30", job.clone());
    let serving = stand.serve(mill()).await;
    stand.wall.pass(hours(1));
    serving.until("pond", |log| log.len() == 1).await;
    serving.kill().await;
    // Off for three days, and on again half a minute after the time of the third.
    stand.wall.shift(hours(72) - TimeDelta::minutes(30) + TimeDelta::seconds(30));
    let serving = stand.serve(mill()).await;
    serving.until("pond", |log| log.len() == 4).await;
    gate.add_permits(100);
    serving.settled("pond", 4).await;
    assert_eq!(
        serving.log("pond"),
        [
            "2026-05-01T12:30:00|fired|published",
            "2026-05-02T12:30:00|coalesced|",
            "2026-05-03T12:30:00|coalesced|",
            "2026-05-04T12:30:00|fired|published"
        ]
    );
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_retries_back_too_and_outlives_the_schedule_s_absence() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let tries = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&tries);
    let job: Job = Pipeline::named("news")
        .read(Lines::of(["ebb"]))
        .map(move |_: String| {
            count.fetch_add(1, SeqCst);
            async move { Err::<String, _>(Error::halt("out").because("no_water")) }
        })
        .into();
    let own = || Mill::at("mill").daily("12:30", job.clone()).retries(5);
    let serving = stand.serve(own()).await;
    stand.wall.pass(hours(1));
    serving
        .until("news", |_| serving.rows("news").first().is_some_and(|row| row.failures == 1))
        .await;
    serving.order(Order::Pause { pipeline: "news".into() }).await.unwrap();
    stand.wall.pass(hours(3));
    serving.looked().await;
    assert_eq!(tries.load(SeqCst), 1, "paused");
    serving.stop().await;
    stand.serve(Mill::at("mill").daily("12:30", lines("other"))).await.stop().await;
    let serving = stand.serve(own()).await;
    assert!(serving.schedule("news").paused_at.is_some(), "paused still");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_nobody_waits_for_any_more_is_not_carried_out() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    stand.serve(Mill::at("mill").daily("12:30", lines("news"))).await.stop().await;
    let order = Order::Pause { pipeline: "news".into() };
    let root = stand.path("mill");
    let given = letters::give(&root, &order, stand.wall.as_ref(), Duration::from_secs(60), |_| ());
    // Who gave it is killed.
    let _ = tokio::time::timeout(Duration::from_millis(300), given).await;
    stand.wall.shift(hours(30));
    let serving = stand.serve(Mill::at("mill").daily("12:30", lines("news"))).await;
    let open = "SELECT 1 FROM tm_requests WHERE done_at IS NULL";
    while !rows(serving.home.ledger().path(), open).unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(serving.schedule("news").paused_at, None);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_some_hours_ahead_silences_frequent_schedules_for_minutes_only() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let serving = stand.serve(Mill::at("mill").every("1h", lines("news"))).await;
    stand.wall.pass(hours(20));
    serving.settled("news", 20).await;
    stand.wall.shift(hours(-20));
    let now = stand.wall.now().timestamp_millis();
    serving.until("news", |_| serving.schedule("news").decided_to <= now).await;
    for hour in 0..3 {
        stand.wall.pass(hours(1));
        let name = format!("2026-05-01T1{}:00:00+02:00|fired|published", hour + 3);
        serving.until("news", |log| log.contains(&name)).await;
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_minutes_that_passed_is_decided_in_a_moment() {
    let stand = Stand::at("2025-05-01T10:00:00Z");
    let mill = || {
        Mill::at("mill")
            .cron("* * * * * *", lines("seconds"))
            .cron("* * * * 12 *", lines("december"))
            .catch_up(CatchUp::None)
    };
    stand.serve(mill()).await.stop().await;
    stand.wall.shift(hours(365 * 24));
    let begun = std::time::Instant::now();
    let serving = stand.serve(mill()).await;
    serving.until("seconds", |log| log.len() > 400).await;
    serving.until("december", |log| log.len() > 400).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    serving.stop().await;
}
