//! The end of a run, in this order: seal, publish, snapshot, offload, retention.

use super::begin::fingerprints;
use super::gate::Gate;
use super::live::{Live, Scene};
use super::log::in_run;
use super::progress::Event;
use super::reenter::Replaying;
use super::report::{OffloadReport, PruneReport};
use super::{log, offload, retention};
use crate::build::SpoolOf;
use crate::ledger::clean::{Broom, sweep};
use crate::ledger::{
    Done, OffloadRow, Publishing, RunRow, RunState, Tx, items, memory, offloads, pipelines,
    publish, replays, spliced, write_snapshot,
};
use crate::sink::{Origin, Sealing};
use crate::{Context, Error, Result, crash};
use std::collections::BTreeMap;
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
    // In a replay only what lies behind its entry has worked.
    let works = |no: usize| live.replaying.is_none() || no > live.entry;
    for (no, step) in live.blueprint.steps.iter().enumerate() {
        if let Some(step) = step.as_ref().filter(|_| works(no)) {
            step.finish(&cx).await?;
        }
    }
    for (sink, (_, files)) in live.blueprint.files.iter().enumerate().filter(|(_, f)| works(f.0)) {
        for dt in dates(live, sink).await? {
            let sealing = Arc::clone(live);
            let names: Vec<String> =
                tokio::task::spawn_blocking(in_run(move || seal_files(&sealing, sink, dt)))
                    .await
                    .map_err(|e| Error::halt("sealing the run's files failed").caused_by(e))??;
            names.iter().for_each(|name| live.add_artifact(files.dataset(), name));
            crash::point("seal.file");
        }
    }
    Ok(())
}

/// The dates that a sink's files are filed under: in a replay those of the archived items, else the
/// run's own.
async fn dates(live: &Arc<Live>, sink: usize) -> Result<Vec<Option<String>>> {
    if live.replaying.is_none() {
        return Ok(vec![None]);
    }
    let run_no = live.run.no;
    live.ledger().read(move |read| items::dates(read, run_no, sink)).await
}

fn seal_files(live: &Arc<Live>, sink: usize, dt: Option<String>) -> Result<Vec<String>> {
    let (_, files) = &live.blueprint.files[sink];
    let whole = Context::of_run(live).folder(files.dataset())?;
    // Each date has a folder of its own, as it will have in the archive.
    let within = dt.as_ref().map_or(String::new(), |dt| format!("dt={dt}/"));
    let folder = whole.join(&within);
    std::fs::create_dir_all(&folder)?;
    let sealing = Sealing {
        pipeline: &live.scene.pipeline,
        run: &live.run.id,
        dt: dt.as_deref().unwrap_or(&live.run.dt),
        steps: live.chain,
        folder: &folder,
    };
    let of = SpoolOf { run_no: live.run.no, sink, dt: dt.clone() };
    let names = files.seal(live.ledger(), of, &sealing)?;
    if names.is_empty() {
        // Fails when another sink has files there, and then it is needed.
        let _ = std::fs::remove_dir(&folder);
    }
    Ok(names.into_iter().map(|name| format!("{within}{name}")).collect())
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
    let replaying = live.replaying.clone();
    let repeated_keys = live
        .ledger()
        .transaction(move |tx| match &replaying {
            None => memory::write(tx, &run, now),
            Some(replaying) => {
                let plans = plans(tx, &run, replaying)?;
                replays::write(tx, &run, &plans, now)
            }
        })
        .await?;
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

/// By the chain that did a key before: the chain that has done it now. What lies before the entry of a
/// replay was not done again.
fn plans(tx: &Tx<'_>, run: &RunRow, replaying: &Replaying) -> Result<BTreeMap<i64, i64>> {
    let done = Done::chains(tx, &run.pipeline)?;
    let mut plans = BTreeMap::new();
    for (plan, before) in done.all() {
        let nodes = spliced(before, &replaying.today, replaying.reentry.no);
        let (_, chain) = fingerprints(&nodes);
        let body = serde_json::to_string(&nodes)?;
        plans.insert(plan, pipelines::plan_no(tx, run.pipeline_no, &chain, &body)?);
    }
    Ok(plans)
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
