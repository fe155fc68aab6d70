//! One run from the first question to the report.

use super::live::{Before, Live, Scene};
use super::progress::{Event, Progress, Silent};
use super::report::{OffloadReport, RunReport};
use super::stop::{Stop, Urgency};
use super::{finish, gate};
use crate::build::{Blueprint, Job};
use crate::ledger::{NewRun, RunState, items, pipelines, runs};
use crate::mill::Home;
use crate::{Context, Error, Fingerprint, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// How a job is run.
#[derive(Clone)]
pub struct RunOptions {
    /// Why it runs: `hand`, `schedule`.
    pub trigger: String,
    /// An archive that takes precedence over the one in the code.
    pub archive: Option<PathBuf>,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// The switch that stops it.
    pub stop: Stop,
}

impl std::fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions")
            .field("trigger", &self.trigger)
            .field("archive", &self.archive)
            .finish_non_exhaustive()
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            trigger: "hand".into(),
            archive: None,
            progress: Arc::new(Silent),
            stop: Stop::default(),
        }
    }
}

impl Home {
    /// Runs a job: goes on with its unfinished run if there is one, else begins a new one.
    ///
    /// # Errors
    /// Before anything is requested: a table that does not fit, an archive that was never
    /// initialised, a model that is not there. Later: whatever halts the run, or `interrupted`.
    pub async fn run(self: &Arc<Self>, job: &Job, options: RunOptions) -> Result<RunReport> {
        let begun = self.clock().now();
        let blueprint = &job.blueprint;
        self.check_owner()?;
        blueprint.check()?;
        let _turn = self.turn(&blueprint.name).await;
        let gate = match &blueprint.archive {
            Some(archive) => {
                Some(gate::open_gate(self, archive, options.archive.as_deref()).await?)
            }
            None => None,
        };
        let scene = scene(self, blueprint, &options, gate.as_ref()).await?;
        check_tables(&scene, blueprint).await?;
        let prepared = prepare(&scene, blueprint).await?;
        finish::missing_snapshots(&scene).await?;
        let (live, carried, resumed) = begin(&scene, blueprint, prepared, &options).await?;
        finish::clear_abandoned(&scene).await?;
        scene.progress.event(&Event::Begun { run: &live.run.id, resumed, carried });
        tracing::info!(run = %live.run.id, pipeline = %scene.pipeline, resumed, carried, "run begun");

        let _whole = AbandonOnDrop(Arc::clone(&live));
        (job.drain)(Arc::clone(&live)).await;
        live.joined().await;
        stopped(&live).await?;

        let published = match finish::seal_and_publish(&live).await {
            Ok(published) => published,
            Err(error) => return Err(halted(&live, error).await),
        };
        // From here on the run is published, whatever happens: the next run makes up for the rest.
        finish::missing_snapshots(&scene).await?;
        let run_no = live.run.no;
        let (items, reasons) = self.ledger().read(move |read| items::ends(read, run_no)).await?;
        let (offload, retention) = finish::archive(&scene, gate.as_ref()).await?;
        let state = match offload.state.as_str() {
            "waiting" => RunState::Published,
            _ => RunState::Finished,
        };
        let report = RunReport {
            run: live.run.id.clone(),
            pipeline: scene.pipeline.clone(),
            dt: live.run.dt.clone(),
            resumed,
            state,
            carried,
            items,
            calls_made: scene.calls_made.load(Relaxed),
            calls_remembered: scene.calls_remembered.load(Relaxed),
            changed_rows: published.changed_rows,
            repeated_keys: published.repeated_keys,
            said: scene.said(),
            reasons,
            offload,
            retention,
            millis: u64::try_from((self.clock().now() - begun).num_milliseconds()).unwrap_or(0),
        };
        keep_report(&live, state, &report).await?;
        Ok(report)
    }
}

/// Ends a run's tasks when the run itself is dropped in the middle.
struct AbandonOnDrop(Arc<Live>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

async fn scene(
    home: &Arc<Home>,
    blueprint: &Arc<Blueprint>,
    options: &RunOptions,
    gate: Option<&gate::Gate>,
) -> Result<Arc<Scene>> {
    let archive = match (&blueprint.archive, gate) {
        (Some(archive), Some(gate)) => {
            let mut archive = archive.clone();
            archive.at.clone_from(&gate.root);
            Some(serde_json::to_string(&archive)?)
        }
        _ => None,
    };
    let (name, tables) = (blueprint.name.clone(), blueprint.table_names());
    let pipeline_no = home
        .ledger()
        .commit(move |tx| pipelines::enrol(tx, &name, archive.as_deref(), &tables))
        .await?;
    Ok(Arc::new(Scene::new(
        Arc::clone(home),
        blueprint.name.clone(),
        pipeline_no,
        Arc::clone(&options.progress),
        options.stop.clone(),
    )))
}

async fn check_tables(scene: &Arc<Scene>, blueprint: &Arc<Blueprint>) -> Result<()> {
    let blueprint = Arc::clone(blueprint);
    scene
        .home
        .ledger()
        .read(move |read| blueprint.tables.iter().try_for_each(|table| table.check(read)))
        .await
}

/// What each step says of itself, and the chain's fingerprint.
struct Prepared {
    fingerprints: Vec<Fingerprint>,
    chain: Fingerprint,
    plan: String,
}

async fn prepare(scene: &Arc<Scene>, blueprint: &Blueprint) -> Result<Prepared> {
    let cx = Context::of_scene(scene);
    let mut fingerprints = Vec::with_capacity(blueprint.nodes.len());
    let mut nodes = blueprint.nodes.clone();
    for (node, step) in nodes.iter_mut().zip(&blueprint.steps) {
        if let Some(step) = step {
            node.fingerprint =
                step.prepare(&cx).await.map_err(|e| e.context(format!("prepare {}", node.name)))?;
        }
        fingerprints.push(Fingerprint::of(&(&node.name, node.version, node.fingerprint)));
    }
    for files in &blueprint.files {
        files.check(&cx)?;
    }
    // The source is not part of the chain: one feed more makes no answer stale.
    let chain = Fingerprint::of(fingerprints.get(1..).unwrap_or_default());
    Ok(Prepared { fingerprints, chain, plan: serde_json::to_string(&nodes)? })
}

async fn begin(
    scene: &Arc<Scene>,
    blueprint: &Arc<Blueprint>,
    prepared: Prepared,
    options: &RunOptions,
) -> Result<(Arc<Live>, u64, bool)> {
    let home = &scene.home;
    let now = home.clock().now();
    let local = home.zone().local(now);
    let (no, chain, plan) = (scene.pipeline_no, prepared.chain, prepared.plan);
    let source = prepared.fingerprints.first().copied().unwrap_or_else(Fingerprint::nothing);
    let mut new = NewRun {
        id: run_id(home, &scene.pipeline, now),
        pipeline_no: no,
        plan_no: 0,
        source,
        trigger: options.trigger.clone(),
        scheduled_for: local.format("%Y-%m-%dT%H:%M:%S").to_string(),
        dt: local.format("%Y-%m-%d").to_string(),
        now: now.timestamp_millis(),
    };
    let limit = blueprint.limit;
    let (run, resumed, carried) = home
        .ledger()
        .transaction(move |tx| {
            new.plan_no = pipelines::plan_no(tx, no, &chain, &plan)?;
            let (run, resumed) = runs::begin(tx, &new)?;
            let carried = if resumed { 0 } else { items::carry(tx, &run, limit)? };
            Ok((run, resumed, carried))
        })
        .await?;
    let (run_no, all) = (run.no, !run.source_done);
    let before = home
        .ledger()
        .read(move |read| {
            let keys = if all { items::keys(read, run_no)? } else { Vec::new() };
            Ok(Before {
                keys: keys.into_iter().collect(),
                waiting: items::waiting(read, no, run_no)?.into_iter().collect(),
                last_seq: items::last_seq(read, run_no)?,
                passed: items::passed(read, run_no)?,
            })
        })
        .await?;
    let live = Live::new(
        Arc::clone(scene),
        run,
        Arc::clone(blueprint),
        prepared.fingerprints,
        chain,
        before,
    );
    Ok((Arc::new(live), carried, resumed))
}

/// A safe file name that sorts by time: `20261120T020000Z-7f3a9c`.
fn run_id(home: &Home, pipeline: &str, now: chrono::DateTime<chrono::Utc>) -> String {
    let seed = (home.mill(), pipeline, now.timestamp_nanos_opt(), std::process::id());
    let tail = Fingerprint::of(&seed).to_hex();
    format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &tail[..6])
}

/// Ends here when the run was halted or interrupted.
async fn stopped(live: &Arc<Live>) -> Result<()> {
    if let Some(error) = live.take_halt() {
        return Err(halted(live, error).await);
    }
    if live.scene.stop.urgency() == Urgency::Go {
        return Ok(());
    }
    let run_no = live.run.no;
    live.ledger().flush().await?;
    let (counts, _) = live.ledger().read(move |read| items::ends(read, run_no)).await?;
    let through = match counts.done {
        1 => "1 item is through".to_string(),
        n => format!("{n} items are through"),
    };
    Err(Error::halt(format!("interrupted; {through} and remembered"))
        .because("interrupted")
        .help("run the same command again: it goes on where it was"))
}

/// Notes in the ledger that the run halted. The ledger may be what failed, so this may fail too.
async fn halted(live: &Arc<Live>, error: Error) -> Error {
    let (run_no, now) = (live.run.no, live.now_millis());
    let noted = live.ledger().commit(move |tx| runs::halt(tx, run_no, now)).await;
    if let Err(second) = noted {
        tracing::warn!(error = %second, "the halt could not be noted; the run counts as killed");
    }
    error
}

async fn keep_report(live: &Arc<Live>, state: RunState, report: &RunReport) -> Result<()> {
    let (run_no, now, text) = (live.run.no, live.now_millis(), serde_json::to_string(report)?);
    live.ledger().commit(move |tx| runs::set_state(tx, run_no, state, now, Some(&text))).await
}

impl OffloadReport {
    /// For a pipeline without an archive.
    pub(crate) fn none() -> Self {
        Self { state: "none".into(), ..Self::default() }
    }
}
