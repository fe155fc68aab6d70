//! Offload: what waits on scratch goes to the archive, oldest run first, each step journaled.

use super::gate::Gate;
use super::live::Scene;
use super::report::OffloadReport;
use super::tier_thread;
use crate::ledger::{OffloadRow, OffloadState, RunState, offloads, runs};
use crate::tier::{self, Parcel, Tier, guard};
use crate::{Error, Result, Verdict, crash};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Brings everything of this pipeline that is not in the archive there.
///
/// An archive that is away or full is no error: the files wait, and the report says why.
pub(crate) async fn catch_up(scene: &Arc<Scene>, gate: &Gate) -> Result<OffloadReport> {
    let pipeline = scene.pipeline.clone();
    let waiting =
        scene.home.ledger().read(move |read| OffloadRow::under_way(read, Some(&pipeline))).await?;
    let mut report = OffloadReport {
        state: "done".into(),
        archive: Some(gate.root.to_string_lossy().into_owned()),
        same_disk: gate.same_disk,
        ..OffloadReport::default()
    };
    // Once the archive is away or hangs, what is left need not be tried.
    let mut away =
        gate.tier.is_none().then(|| gate.away.clone().unwrap_or_else(|| "it is away".into()));
    let mut failed = None;
    for row in waiting {
        let retired = row.state == OffloadState::Retired;
        if let Some(why) = &away {
            // What is retired is in the archive already; only its second reading is put off.
            if !retired {
                let why = why.clone();
                report.wait(hold(scene, row, &why).await?, why);
            }
            continue;
        }
        let Some(tier) = &gate.tier else { continue };
        match offload(scene, tier, row.clone()).await {
            Ok(row) if retired => tracing::info!(run = %row.run, "read again cold, and sound"),
            Ok(row) => report.parcels.push(row),
            Err(error) => {
                let why = error.message();
                report.wait(hold(scene, row, &why).await?, why.clone());
                if error.verdict() != Verdict::Wait {
                    failed.get_or_insert(error); // the others still get their turn
                } else if matches!(
                    error.reason(),
                    "archive_away" | "archive_hung" | "archive_foreign"
                ) {
                    away = Some(why);
                }
            }
        }
    }
    finish_runs(scene).await?;
    failed.map_or(Ok(report), Err)
}

impl OffloadReport {
    fn wait(&mut self, row: OffloadRow, why: String) {
        self.state = "waiting".into();
        self.note.get_or_insert(why);
        self.parcels.push(row);
    }
}

/// Notes why a run's files stay on scratch for now. How far they came stays as the journal has it:
/// `row` is from before the try.
async fn hold(scene: &Scene, mut row: OffloadRow, why: &str) -> Result<OffloadRow> {
    tracing::info!(run = %row.run, dataset = %row.dataset, why, "offload waits");
    let (run_no, dataset, note) = (row.run_no, row.dataset.clone(), why.to_string());
    scene.home.ledger().commit(move |tx| offloads::note(tx, run_no, &dataset, &note)).await?;
    row.note = Some(why.to_string());
    Ok(row)
}

/// One run's files of one dataset, from wherever they stopped last time to the end.
async fn offload(scene: &Arc<Scene>, tier: &Tier, mut row: OffloadRow) -> Result<OffloadRow> {
    row.note = None;
    if matches!(row.state, OffloadState::Sealed | OffloadState::Planned) {
        row.archive = Some(tier.id.clone());
        row.root = Some(tier.root.to_string_lossy().into_owned());
        row = advance(scene, row, OffloadState::Planned).await?;
        crash::point("offload.planned");
        row = ship(scene, tier, row).await?;
        crash::point("offload.shipped");
        row = advance(scene, row, OffloadState::Committed).await?;
        crash::point("offload.committed");
    }
    if row.state == OffloadState::Committed {
        // The intent to delete is durable before anything is taken away.
        row = advance(scene, row, OffloadState::Retiring).await?;
        crash::point("offload.retiring");
    }
    if row.state == OffloadState::Retiring {
        let purged = retire(scene, tier, &row).await?;
        crash::point("offload.retired");
        if !purged {
            return advance(scene, row, OffloadState::Retired).await;
        }
    }
    if row.state == OffloadState::Retired {
        // Compares the archive's copy, which no cache holds any more, with the one in the trash.
        row = ship(scene, tier, row).await?;
        purge(scene, &row).await?;
    }
    advance(scene, row, OffloadState::Done).await
}

async fn ship(scene: &Arc<Scene>, tier: &Tier, mut row: OffloadRow) -> Result<OffloadRow> {
    let scratch = scene.home.scratch();
    let source = match row.state {
        OffloadState::Retired => scratch.trash(&row.dataset, &row.pipeline, &row.run),
        _ => scratch.folder(&row.dataset, &row.pipeline, &row.run),
    };
    let (run_no, dataset) = (row.run_no, row.dataset.clone());
    let files =
        scene.home.ledger().read(move |read| offloads::files(read, run_no, &dataset)).await?;
    let whole = Parcel {
        mill: scene.home.mill().to_string(),
        pipeline: row.pipeline.clone(),
        dataset: row.dataset.clone(),
        run: row.run.clone(),
        dt: row.dt.parse::<NaiveDate>()?,
        source,
        files,
        // The run's own time: an offload that is repeated writes the same manifest.
        created: DateTime::<Utc>::from_timestamp_millis(row.started_at).unwrap_or_default(),
        rows: BTreeMap::new(),
    };
    (row.files, row.bytes) = (whole.files.len() as u64, 0);
    let parcels = by_date(whole)?;
    let many = parcels.len() > 1;
    for parcel in parcels {
        let own = tier.clone();
        let shipped = tier_thread::run(move |beat| tier::ship(&own, &parcel, beat)).await?;
        crash::point("offload.parcel");
        let folder = shipped.folder.strip_prefix(&tier.root).unwrap_or(&shipped.folder);
        row.folder = Some(folder.to_string_lossy().into_owned());
        row.bytes += shipped.bytes;
    }
    if many {
        row.folder = Some(format!("{}/{}/dt=*/run={}", row.dataset, row.pipeline, row.run));
    }
    Ok(row)
}

/// A replay's files go to the dates of the archived items that they were made from: a parcel for each
/// folder `dt=…` that its files lie in.
fn by_date(whole: Parcel) -> Result<Vec<Parcel>> {
    let mut parcels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &whole.files {
        let dated = file.strip_prefix("dt=").and_then(|rest| rest.split_once('/'));
        let (dt, name) = dated.unwrap_or(("", file));
        parcels.entry(dt.to_string()).or_default().push(name.to_string());
    }
    let of = |(dt, files): (String, Vec<String>)| match dt.as_str() {
        "" => Ok(Parcel { files, ..whole.clone() }),
        dt => {
            let source = whole.source.join(format!("dt={dt}"));
            Ok(Parcel { dt: dt.parse()?, source, files, ..whole.clone() })
        }
    };
    parcels.into_iter().map(of).collect()
}

/// Takes the scratch copy away: to the trash, and out of it at once unless the archive lies on a
/// file system without a journal. There it waits for a cold reading at the next run (false).
async fn retire(scene: &Arc<Scene>, tier: &Tier, row: &OffloadRow) -> Result<bool> {
    let (scratch, tier) = (scene.home.scratch().clone(), tier.clone());
    let (dataset, pipeline, run) = (row.dataset.clone(), row.pipeline.clone(), row.run.clone());
    let purge = tier_thread::run(move |_| {
        guard::recheck(&tier)?;
        scratch.retire(&dataset, &pipeline, &run)?;
        Ok(guard::file_system(&tier.root)?.is_journaled())
    })
    .await?;
    if purge {
        self::purge(scene, row).await?;
    }
    Ok(purge)
}

/// Empties the run's place in the scratch trash.
async fn purge(scene: &Arc<Scene>, row: &OffloadRow) -> Result<()> {
    let scratch = scene.home.scratch().clone();
    let (dataset, pipeline, run) = (row.dataset.clone(), row.pipeline.clone(), row.run.clone());
    tier_thread::run(move |_| scratch.purge(&dataset, &pipeline, &run)).await
}

async fn advance(scene: &Scene, mut row: OffloadRow, state: OffloadState) -> Result<OffloadRow> {
    row.state = state;
    let written = row.clone();
    scene
        .home
        .ledger()
        .commit(move |tx| offloads::advance(tx, &written, state, written.note.as_deref()))
        .await?;
    Ok(row)
}

/// Published runs of which nothing waits any more are finished.
pub(super) async fn finish_runs(scene: &Arc<Scene>) -> Result<()> {
    let (no, now) = (scene.pipeline_no, scene.home.clock().now().timestamp_millis());
    scene
        .home
        .ledger()
        .commit(move |tx| {
            for run in crate::ledger::RunRow::unfinished(tx, no)? {
                let rows = OffloadRow::of_run(tx, &run.id)?;
                let done = |row: &OffloadRow| {
                    matches!(
                        row.state,
                        OffloadState::Retired | OffloadState::Done | OffloadState::Pruned
                    )
                };
                if rows.iter().all(done) {
                    let ended = run.ended_at.unwrap_or(now);
                    runs::set_state(tx, run.no, RunState::Finished, ended, None)?;
                }
            }
            Ok(())
        })
        .await
        .map_err(|e: Error| e.context("finish runs"))
}
