//! The end of a run, in this order: seal, publish, snapshot, offload, retention.

use super::gate::Gate;
use super::live::{Live, Scene};
use super::log::in_run;
use super::progress::Event;
use super::report::{OffloadReport, PruneReport};
use super::{log, offload, retention};
use crate::ledger::clean::{Broom, sweep};
use crate::ledger::{
    OffloadRow, Publishing, RunRow, RunState, memory, offloads, publish, write_snapshot,
};
use crate::sink::{Origin, Sealing};
use crate::{Context, Error, Result, crash};
use std::sync::Arc;

/// The dataset of full copies of the published tables.
pub(crate) const SNAPSHOTS: &str = "sqlite";

/// What a publish did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    /// Rows of the tables that are new or different now.
    pub(crate) changed_rows: u64,
    /// Keys that came more than once in the run; the last one won.
    pub(crate) repeated_keys: u64,
}

/// Seals the files and publishes everything in one transaction.
pub(crate) async fn seal_and_publish(live: &Arc<Live>) -> Result<Published> {
    live.scene.progress.event(&Event::Phase("seal"));
    live.ledger().flush().await?;
    crash::point("seal.begun");
    seal(live).await?;
    live.scene.progress.event(&Event::Phase("publish"));
    // Last of all that is sealed: it tells of the rest.
    log::seal(live).await?;
    publish_all(live).await
}

async fn seal(live: &Arc<Live>) -> Result<()> {
    let cx = Context::of_run(live);
    for step in live.blueprint.steps.iter().flatten() {
        step.finish(&cx).await?;
    }
    for sink in 0..live.blueprint.files.len() {
        let sealing = Arc::clone(live);
        let names: Vec<String> =
            tokio::task::spawn_blocking(in_run(move || seal_files(&sealing, sink)))
                .await
                .map_err(|e| Error::halt("sealing the run's files failed").caused_by(e))??;
        let dataset = live.blueprint.files[sink].dataset();
        names.iter().for_each(|name| live.add_artifact(dataset, name));
        crash::point("seal.file");
    }
    Ok(())
}

fn seal_files(live: &Arc<Live>, sink: usize) -> Result<Vec<String>> {
    let files = &live.blueprint.files[sink];
    let folder = Context::of_run(live).folder(files.dataset())?;
    let sealing = Sealing {
        pipeline: &live.scene.pipeline,
        run: &live.run.id,
        dt: &live.run.dt,
        steps: live.chain,
        folder: &folder,
    };
    let names = files.seal(live.ledger(), live.run.no, sink, &sealing)?;
    if names.is_empty() {
        // Fails when another sink has files there, and then it is needed.
        let _ = std::fs::remove_dir(&folder);
    }
    Ok(names)
}

/// Clears scratch of what runs left there that were given up.
pub(crate) async fn clear_abandoned(scene: &Arc<Scene>) -> Result<()> {
    let home = Arc::clone(&scene.home);
    tokio::task::spawn_blocking(in_run(move || {
        for left in home.scratch().leftovers()? {
            let run = home.ledger().read_now(|read| RunRow::by_id(read, &left.run))?;
            if run.is_some_and(|run| run.state == RunState::Abandoned) {
                home.scratch().retire(&left.dataset, &left.pipeline, &left.run)?;
                home.scratch().purge(&left.dataset, &left.pipeline, &left.run)?;
            }
        }
        Ok(())
    }))
    .await
    .map_err(|e| Error::halt("clearing scratch failed").caused_by(e))?
}

async fn publish_all(live: &Arc<Live>) -> Result<Published> {
    let (run, now) = (live.run.clone(), live.now_millis());
    // In a transaction of its own, before the publish: nobody sees it until then, and those who
    // want to write wait less.
    let repeated_keys = live.ledger().transaction(move |tx| memory::write(tx, &run, now)).await?;
    crash::point("memory.written");
    let what = Publishing {
        run: live.run.clone(),
        artifacts: live.artifacts(),
        repeated_keys,
        now: live.now_millis(),
    };
    let blueprint = Arc::clone(&live.blueprint);
    let origin =
        Origin { run_no: live.run.no, run: live.run.id.clone(), seq: 0, key: String::new() };
    let changed_rows = live
        .ledger()
        .transaction(move |tx| {
            publish(tx, &what, |tx| {
                let mut changed = 0;
                for table in &blueprint.tables {
                    changed += table.publish(tx, &origin)?;
                }
                Ok(changed)
            })
        })
        .await?;
    crash::point("publish.committed");
    Ok(Published { changed_rows, repeated_keys })
}

/// Housekeeping, a little at a time. What fails here is made up for by the next run.
pub(crate) async fn clean(scene: &Arc<Scene>) {
    let (no, cap) = (scene.pipeline_no, scene.home.call_cap());
    let now = scene.home.clock().now().timestamp_millis();
    let mut broom = Broom::default();
    loop {
        let mut next = broom.clone();
        let swept = scene
            .home
            .ledger()
            .transaction(move |tx| sweep(tx, no, &cap, now, &mut next).map(|more| (more, next)))
            .await;
        match swept {
            Ok((true, next)) => broom = next,
            Ok((false, _)) => return,
            Err(error) => {
                tracing::warn!(%error, "housekeeping stopped; the next run goes on with it");
                return;
            }
        }
    }
}

/// Makes the snapshot of the newest published run when its rows changed and it has none yet: so a
/// run that was killed between publish and snapshot gets its own before the next one publishes.
pub(crate) async fn missing_snapshots(scene: &Arc<Scene>) -> Result<()> {
    scene.progress.event(&Event::Phase("snapshot"));
    let no = scene.pipeline_no;
    let name = scene.pipeline.clone();
    let (run, tables) = scene
        .home
        .ledger()
        .read(move |read| {
            let newest = RunRow::unfinished(read, no)?.pop();
            let tables = read
                .one(
                    "SELECT tables FROM tm_pipelines WHERE pipeline_no = ?1 AND archive IS NOT NULL",
                    [no],
                    |row| row.get::<_, String>(0),
                )?
                .unwrap_or_default(); // without an archive there is nowhere to keep snapshots
            let Some(run) = newest.filter(|run| run.changed_rows > 0) else {
                return Ok((None, vec![]));
            };
            let has = OffloadRow::of_run(read, &run.id)?.iter().any(|row| row.dataset == SNAPSHOTS);
            let tables: Vec<String> = serde_json::from_str(&tables).unwrap_or_default();
            Ok(((!has).then_some(run), tables))
        })
        .await?;
    let Some(run) = run.filter(|_| !tables.is_empty()) else { return Ok(()) };
    let folder = scene.home.scratch().folder(SNAPSHOTS, &name, &run.id);
    let (path, file) = (scene.home.ledger().path().to_path_buf(), format!("{name}.sqlite"));
    let target = folder.join(&file);
    tokio::task::spawn_blocking(in_run(move || {
        std::fs::create_dir_all(&folder)?;
        write_snapshot(&path, &tables, &target)
    }))
    .await
    .map_err(|e| Error::halt("the snapshot failed").caused_by(e))??;
    crash::point("snapshot.written");
    scene.home.ledger().commit(move |tx| offloads::add(tx, run.no, SNAPSHOTS, &file)).await
}

/// Offloads what waits on scratch, oldest run first, then applies retention.
pub(crate) async fn archive(
    scene: &Arc<Scene>,
    gate: Option<&Gate>,
) -> Result<(OffloadReport, PruneReport)> {
    let Some(gate) = gate else {
        offload::finish_runs(scene).await?; // one that was killed behind its publish, too
        return Ok((OffloadReport::none(), PruneReport::default()));
    };
    scene.progress.event(&Event::Phase("offload"));
    let report = offload::catch_up(scene, gate).await?;
    if report.state != "done" {
        return Ok((report, PruneReport::default()));
    }
    scene.progress.event(&Event::Phase("retention"));
    let retention = retention::after_run(scene, gate).await?;
    Ok((report, retention))
}
