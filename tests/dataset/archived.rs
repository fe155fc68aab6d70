//! `Archived`: what was saved is a source for other pipelines.

use super::yard::{Second, Yard, key, second};
use tidemill::pipeline::run::RunOptions;
use tidemill::pipeline::testing::Rig;
use tidemill::prelude::{Archived, Job, Pipeline, Result, Table};

fn titles(source: Archived<Second>) -> Job {
    Pipeline::named("titles").read(source).store(Table::named("titles").keyed_by("title")).into()
}

fn notes(yard: &Yard) -> Archived<Second> {
    // The first year's rows have no `tags`, and are of another type.
    Archived::dataset("notes").at(yard.nas()).since("2025-01-01")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_of_each_key_comes_once() -> Result<()> {
    let (yard, rig) = (Yard::years(), Rig::new()?);
    let report = rig.run(titles(notes(&yard).of("news"))).await?;
    assert_eq!((report.items.done, report.items.parked), (14, 0));
    let keys = rig.rows("SELECT key FROM tm_items ORDER BY seq")?;
    assert_eq!(keys.len(), 14);
    assert!(keys.iter().any(|row| row.contains(&key(8))), "{keys:?}");
    let again = rig.run(titles(notes(&yard).of("news"))).await?;
    assert_eq!((again.items.done, again.items.unchanged), (0, 14));
    // One of them in a later run: it has a newer version, the others are as they were.
    let row = Second { title: "Slack".into(), ..second(9) };
    yard.add("news", "2026-04-01", 0, [(key(9), row)].into_iter());
    let later = rig.run(titles(notes(&yard).of("news"))).await?;
    assert_eq!((later.items.done, later.items.unchanged), (1, 13));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_comes_when_it_is_asked_for() -> Result<()> {
    let (yard, rig) = (Yard::years(), Rig::new()?);
    let report = rig.run(titles(notes(&yard).of("news").every_version())).await?;
    assert_eq!(report.items.done, 18);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_counted_back_from_the_date_of_the_run() -> Result<()> {
    // The rig's first run is on 2026-01-02.
    let (yard, rig) = (Yard::empty(), Rig::new()?);
    for (n, dt) in ["2025-12-25", "2025-12-26", "2026-01-01"].into_iter().enumerate() {
        yard.add("news", dt, n, [(key(n), second(n))].into_iter());
    }
    let week = || Archived::dataset::<Second>("notes").at(yard.nas());
    let report = rig.run(titles(week().since("7d"))).await?;
    assert_eq!(report.items.done, 2);
    let report = rig.run(titles(week().since("2w").until("7d"))).await?;
    assert_eq!((report.items.done, report.items.unchanged), (1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_item_is_tried_by_its_key() -> Result<()> {
    let (yard, rig) = (Yard::years(), Rig::new()?);
    let job = titles(notes(&yard).of("coast"));
    let tried = rig.home().try_one(&job, &key(5), RunOptions::default()).await?;
    let shown = tried.steps.first().map(|step| step.output.to_string()).unwrap_or_default();
    assert!(shown.contains(&second(5).title), "{shown}");
    let nothing = rig.home().try_one(&job, &key(99), RunOptions::default()).await.unwrap_err();
    assert!(nothing.message().contains(&key(99)), "{nothing}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_ends_the_run_before_it_begins() -> Result<()> {
    let (yard, rig) = (Yard::years(), Rig::new()?);
    let refused = async |source| rig.run(titles(source)).await.unwrap_err();
    let unclear = refused(notes(&yard).since("soon")).await;
    assert!(unclear.message().contains("`soon`"), "{unclear}");
    let missing = refused(Archived::dataset("nothing").at(yard.nas())).await;
    assert_eq!(missing.reason(), "dataset_missing");
    let nowhere = refused(notes(&yard).at(yard.place.path("unplugged"))).await;
    assert!(["archive_new", "archive_away"].contains(&nowhere.reason()), "{nowhere}");
    // The first year is of another type.
    let other = refused(notes(&yard).of("news").since("2024-01-01")).await;
    assert_eq!(other.reason(), "item_shape");
    assert!(other.message().contains("dt=2024") && other.message().contains("tags"), "{other}");
    Ok(())
}
