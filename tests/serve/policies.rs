//! Times that were missed, that come while a run is at work, or whose run fails: as the policy says.

use super::pond::{Fish, Pond, held};
use super::stand::{Stand, hours};
use chrono::TimeDelta;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tidemill_pipeline::clock::{CatchUp, Clock, Overlap};
use tidemill_pipeline::ledger::{FiringRow, RunRow};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::testing::Lines;
use tidemill_pipeline::{Error, Job, Mill, Pipeline};
use tokio::sync::Semaphore;

fn job(name: &str) -> Job {
    Pipeline::named(name).read(Lines::of(["ebb", "flow"])).into()
}

fn mill() -> Mill {
    Mill::at("mill")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_job_runs_once_a_day_and_is_filed_under_its_nominal_date() {
    let stand = Stand::at("2026-03-28T12:00:00Z");
    let serving = stand.serve(mill().daily("02:30", job("news"))).await;
    for day in 1..=3 {
        stand.wall.pass(hours(24));
        serving.settled("news", day).await;
    }
    // Of 29 March the nominal time does not exist: it ran right behind the gap.
    assert_eq!(
        serving.log("news"),
        [
            "2026-03-29T02:30:00|fired|published",
            "2026-03-30T02:30:00|fired|published",
            "2026-03-31T02:30:00|fired|published"
        ]
    );
    let run = serving.rows("news")[0].run.clone().unwrap();
    let row = serving.home.ledger().read_now(|read| RunRow::by_id(read, &run));
    assert_eq!(row.unwrap().unwrap().dt, "2026-03-29");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_times_are_made_up_for_by_one_run_by_none_or_by_each() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let week = Duration::from_secs(5 * 86_400);
    let serving = stand
        .serve(
            mill()
                .daily("06:00", job("last"))
                .daily("06:00", job("none"))
                .catch_up(CatchUp::None)
                .daily("06:00", job("each"))
                .catch_up(CatchUp::All { max: 3, window: week }),
        )
        .await;
    // The lid is shut for a week: times of the 2nd to the 8th pass.
    stand.wall.shift(hours(7 * 24));
    stand.wall.pass(TimeDelta::minutes(1));
    for name in ["last", "none", "each"] {
        serving.settled(name, 7).await;
    }
    let decisions = |name: &str| -> Vec<String> {
        serving.rows(name).iter().map(|row| row.decision.clone()).collect()
    };
    let last = decisions("last");
    assert_eq!((last[..6].to_vec(), last[6].as_str()), (vec!["coalesced".to_string(); 6], "fired"));
    assert_eq!(decisions("none"), vec!["missed"; 7]);
    assert_eq!(
        serving.log("each")[3..],
        [
            "2026-05-05T06:00:00|missed|",
            "2026-05-06T06:00:00|fired|published",
            "2026-05-07T06:00:00|fired|published",
            "2026-05-08T06:00:00|fired|published"
        ]
    );
    let reason = &serving.rows("last")[0].reason;
    assert!(reason.contains("made up for by the run of 2026-05-08T06:00:00"), "{reason}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_comes_while_a_run_is_at_work_is_skipped_or_waits() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, gate) = (Pond::default(), Arc::new(Semaphore::new(0)));
    pond.fill(vec![Fish::new("eel")]);
    let serving = stand
        .serve(
            mill()
                .every("1h", held("skip", &pond, &gate))
                .every("1h", held("queue", &pond, &gate))
                .overlap(Overlap::Queue)
                .every("1h", held("allow", &pond, &gate))
                .overlap(Overlap::Allow),
        )
        .await;
    for hour in 1..=4 {
        stand.wall.pass(hours(1));
        for name in ["skip", "queue", "allow"] {
            serving.until(name, |log| log.len() == hour).await;
        }
    }
    let decisions = |name: &str| -> Vec<String> {
        serving.rows(name).iter().map(|row| row.decision.clone()).collect()
    };
    assert_eq!(decisions("skip"), ["fired", "skipped", "skipped", "skipped"]);
    assert_eq!(decisions("queue"), ["fired", "queued", "skipped", "skipped"]);
    assert_eq!(decisions("allow"), ["fired", "queued", "queued", "queued"]);
    let reason = &serving.rows("skip")[1].reason;
    assert!(reason.contains("a run of this pipeline is at work"), "{reason}");

    gate.add_permits(1000);
    for (name, runs) in [("skip", 1), ("queue", 2), ("allow", 4)] {
        serving.settled(name, 4).await;
        let ran = serving.log(name).iter().filter(|line| line.ends_with("published")).count();
        assert_eq!(ran, runs, "{name}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_tried_again_and_then_somebody_is_told() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let tries = Arc::new(AtomicU32::new(0));
    let broken = Arc::new(AtomicBool::new(true));
    let (count, state) = (Arc::clone(&tries), Arc::clone(&broken));
    let job = Pipeline::named("news").read(Lines::of(["ebb"])).map(move |item: String| {
        count.fetch_add(1, SeqCst);
        let is_broken = state.load(SeqCst);
        async move {
            match is_broken {
                true => Err(Error::halt("the tide is out").because("no_water")),
                false => Ok(item),
            }
        }
    });
    let serving = stand.serve(mill().daily("12:30", job).retries(2)).await;
    stand.wall.pass(hours(1));
    for tried in 1..=2 {
        let again = |row: &FiringRow| row.next_try_at.is_some();
        serving.until("news", |_| serving.rows("news").first().is_some_and(again)).await;
        assert_eq!(serving.rows("news")[0].tries, tried);
        assert_eq!(stand.post.told(), [""; 0], "not before the last try");
        stand.wall.pass(TimeDelta::minutes(5 * i64::from(tried)));
        serving.until("news", |_| tries.load(SeqCst) > tried).await;
    }
    serving.settled("news", 1).await;
    assert!(serving.log("news")[0].contains("the tide is out"), "{:?}", serving.log("news"));
    stand.post.count(1).await;
    let told = stand.post.told();
    assert_eq!(told, ["failed: news: the run failed (no_water)"], "reasons, no messages");

    // The next day its unfinished run comes first, and the day still gets its own.
    broken.store(false, SeqCst);
    stand.wall.pass(hours(24));
    serving.settled("news", 2).await;
    assert!(serving.log("news")[1].starts_with("2026-05-02T12:30:00|fired|published"));
    let runs = "SELECT group_concat(dt || ' ' || state, ', ') FROM (SELECT * FROM tm_runs ORDER BY run_no)";
    let rows = tidemill_pipeline::testing::rows(serving.home.ledger().path(), runs).unwrap();
    assert_eq!(rows, ["2026-05-01 finished, 2026-05-02 finished"]);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_schedule_lets_its_times_pass_and_makes_up_for_none() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let serving = stand.serve(mill().every("1h", job("news"))).await;
    let order = Order::Pause { pipeline: "news".into() };
    assert_eq!(serving.order(order.clone()).await.unwrap()["changed"], true);
    assert_eq!(serving.order(order).await.unwrap()["changed"], false);
    stand.wall.pass(hours(1));
    serving.settled("news", 1).await;
    serving.order(Order::Resume { pipeline: "news".into() }).await.unwrap();
    stand.wall.pass(hours(1));
    serving.settled("news", 2).await;
    assert_eq!(
        serving.log("news"),
        ["2026-05-01T13:00:00+02:00|skipped|", "2026-05-01T14:00:00+02:00|fired|published"]
    );
    let unknown = serving.order(Order::Pause { pipeline: "weather".into() }).await.unwrap_err();
    assert!(unknown.guidance().unwrap().contains("schedule ls"), "{unknown}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_another_pipeline_follows_each_of_its_runs() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let both = || mill().daily("12:30", job("news")).after("news", job("letter"));
    let serving = stand.serve(both()).await;
    stand.wall.pass(hours(1));
    serving.settled("letter", 1).await;
    stand.wall.pass(hours(24));
    serving.settled("letter", 2).await;
    assert_eq!(
        serving.log("letter"),
        ["2026-05-01T12:30:00|fired|published", "2026-05-02T12:30:00|fired|published"]
    );
    serving.stop().await;
    let circle = mill().after("b", job("a")).after("a", job("b"));
    assert!(circle.check().unwrap_err().message().contains("after each other"));
    let nobody = mill().after("nobody", job("a")).check().unwrap_err();
    assert!(nobody.message().contains("`nobody`"), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_changes_owes_what_it_missed_and_begins_anew() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    stand.serve(mill().daily("06:00", job("news"))).await.stop().await;
    stand.wall.shift(hours(3 * 24));
    // Three mornings passed; from now on it is to run in the evening.
    let serving = stand.serve(mill().daily("20:00", job("news"))).await;
    serving.settled("news", 3).await;
    stand.wall.pass(hours(10));
    serving.settled("news", 4).await;
    assert_eq!(
        serving.log("news"),
        [
            "2026-05-02T06:00:00|coalesced|",
            "2026-05-03T06:00:00|coalesced|",
            "2026-05-04T06:00:00|fired|published",
            "2026-05-04T20:00:00|fired|published"
        ]
    );
    serving.stop().await;
    // One that the code has no more is let go; what was decided can still be read.
    let serving = stand.serve(mill().daily("06:00", job("weather"))).await;
    stand.wall.pass(hours(24));
    serving.settled("weather", 1).await;
    assert_eq!(serving.log("news").len(), 4);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_stopped_and_goes_on_the_next_time() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    // It never ends by itself: what is in hand hangs until it is let go.
    let gate = Arc::new(Semaphore::new(0));
    let pond = Pond::default();
    pond.fill(pond.shoal(1));
    let job = held("news", &pond, &gate);
    let serving = stand.serve(mill().daily("12:30", job).timeout(Duration::from_millis(300))).await;
    gate.add_permits(1);
    stand.wall.pass(hours(1));
    serving.until("news", |log| log.len() == 1).await;
    // One is through, one is in hand when the time is up, and one has not begun.
    tokio::time::sleep(Duration::from_millis(400)).await;
    gate.add_permits(1);
    serving.settled("news", 1).await;
    assert!(serving.log("news")[0].contains("longer than"), "{:?}", serving.log("news"));
    stand.post.count(1).await;
    assert!(stand.post.told()[0].contains("run_timeout"), "{:?}", stand.post.told());

    gate.add_permits(100);
    stand.wall.pass(hours(24));
    serving.settled("news", 2).await;
    assert!(serving.log("news")[1].ends_with("fired|published"), "{:?}", serving.log("news"));
    let runs = "SELECT dt, state, attempt FROM tm_runs ORDER BY run_no";
    let rows = tidemill_pipeline::testing::rows(serving.home.ledger().path(), runs).unwrap();
    assert_eq!(rows, ["2026-05-01|finished|2", "2026-05-02|finished|1"]);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_a_year_ahead_silences_nothing_and_repeats_nothing() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let serving = stand.serve(mill().daily("06:00", job("news"))).await;
    stand.wall.pass(hours(24));
    serving.settled("news", 1).await;
    // A board without a battery begins in another year, and puts itself right an hour later.
    stand.wall.shift(hours(365 * 24));
    stand.wall.pass(TimeDelta::minutes(1));
    serving.settled("news", 366).await;
    stand.wall.shift(hours(-365 * 24));
    let now = stand.wall.now().timestamp_millis();
    serving.until("news", |_| serving.schedule("news").decided_to <= now).await;
    for day in 1..=3 {
        stand.wall.pass(hours(24));
        let date = format!("2026-05-0{}T06:00:00|fired|published", day + 2);
        serving.until("news", |log| log.contains(&date)).await;
    }
    let fired = serving.log("news").into_iter().filter(|line| line.contains("fired"));
    let fired: Vec<String> = fired.map(|line| line[..10].to_string()).collect();
    assert_eq!(fired, ["2026-05-02", "2026-05-03", "2026-05-04", "2026-05-05", "2027-05-02"]);
    serving.stop().await;
}
