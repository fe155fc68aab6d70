//! A run that was killed goes on at the next start; a day that was missed gets its run by hand.

use super::pond::{Fish, Pond, held};
use super::stand::{Stand, hours};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::mill::Planned;
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::testing::{Lines, rows};
use tidemill_pipeline::{Mill, Pipeline};
use tokio::sync::Semaphore;

const RUNS: &str = "SELECT dt, state, attempt, trigger FROM tm_runs ORDER BY run_no";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_goes_on_for_the_time_it_was_begun_for() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, gate) = (Pond::default(), Arc::new(Semaphore::new(2)));
    pond.fill(pond.shoal(1));
    let mill = || Mill::at("mill").daily("12:30", held("pond", &pond, &gate));
    let serving = stand.serve(mill()).await;
    stand.wall.pass(hours(1));
    serving.until("pond", |log| log.len() == 1).await;
    let ledger = serving.home.ledger().path().to_path_buf();
    while gate.available_permits() > 0 {
        serving.server.nudge();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    serving.kill().await;

    // The machine is off for two days; then the run of the 1st goes on, and the 3rd is made up for.
    stand.wall.shift(hours(48));
    gate.add_permits(100);
    let serving = stand.serve(mill()).await;
    serving.settled("pond", 3).await;
    assert_eq!(
        serving.log("pond"),
        [
            "2026-05-01T12:30:00|fired|published",
            "2026-05-02T12:30:00|coalesced|",
            "2026-05-03T12:30:00|fired|published"
        ]
    );
    assert_eq!(
        rows(&ledger, RUNS).unwrap(),
        ["2026-05-01|finished|2|schedule", "2026-05-03|finished|1|schedule"]
    );
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_day_gets_its_run_by_hand_once() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let lines = || Pipeline::named("pond").read(Lines::of(["ebb"]));
    stand.serve(Mill::at("mill").daily("12:30", lines())).await.stop().await;
    stand.wall.shift(hours(72));
    let serving = stand.serve(Mill::at("mill").daily("12:30", lines())).await;
    serving.settled("pond", 3).await;
    assert!(serving.log("pond")[1].contains("coalesced"), "{:?}", serving.log("pond"));

    let planned = Planned::by_hand(lines());
    let at = |day: &'static str| serving.home.run_at(&planned, day, RunOptions::default());
    let report = at("2026-05-02").await.unwrap();
    assert_eq!(
        (report.dt.as_str(), report.scheduled_for.as_str()),
        ("2026-05-02", "2026-05-02T12:30:00")
    );
    assert_eq!(serving.log("pond")[1], "2026-05-02T12:30:00|fired|published");
    let reason = &serving.rows("pond")[1].reason;
    assert!(reason.starts_with("by hand; before: coalesced"), "{reason}");

    for (day, says) in [
        ("2026-05-02", "has its run"),
        ("2026-05-03T12:30", "has its run"),
        ("2026-05-03T08:00", "is no time of this schedule"),
        ("2027-01-01", "is not over yet"),
        ("yesterday", "is no day"),
    ] {
        let error = at(day).await.unwrap_err();
        assert!(error.message().contains(says), "{day}: {error}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_often_does_not_use_up_the_tries_of_a_run() {
    let stand = Stand::at("2026-05-01T10:00:00Z");
    let (pond, gate) = (Pond::default(), Arc::new(Semaphore::new(0)));
    pond.fill((0..2000).map(|n| Fish::new(&format!("eel {n}"))).collect());
    let mill = || Mill::at("mill").daily("12:30", held("pond", &pond, &gate)).retries(0);
    let mut serving = stand.serve(mill()).await;
    stand.wall.pass(hours(1));
    for restart in 1..=7 {
        serving
            .until("pond", |_| serving.rows("pond").first().is_some_and(|row| row.tries == 1))
            .await;
        // What is in hand when the signal comes is finished, one by one.
        let stopping = serving.stop();
        tokio::pin!(stopping);
        while tokio::time::timeout(Duration::from_millis(10), &mut stopping).await.is_err() {
            gate.add_permits(1);
        }
        serving = stand.serve(mill()).await;
        assert!(serving.log("pond")[0].ends_with("|fired|"), "restart {restart}");
    }
    gate.add_permits(10_000);
    serving.settled("pond", 1).await;
    assert_eq!(serving.log("pond"), ["2026-05-01T12:30:00|fired|published"]);
    assert_eq!(stand.post.told(), [""; 0]);
    serving.stop().await;
}
