//! One run from the first question to the report.

use super::begin::{With, begin, prepare};
use super::live::{Live, Scene};
use super::progress::{Event, Progress, Silent};
use super::report::{OffloadReport, PruneReport, RunReport};
use super::stop::{Stop, Urgency};
use super::trial::{Trial, TrialReport};
use super::{finish, gate, log, pulse, reenter};
use crate::build::{Blueprint, Job};
use crate::clock::Nominal;
use crate::ledger::{RunState, firings, items, pipelines, runs};
use crate::mill::Home;
use crate::replay::Selection;
use crate::{Error, Result};
use chrono::{DateTime, Days, Utc};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::field::Empty;

/// How a job is run.
#[derive(Clone)]
pub struct RunOptions {
    /// Why it runs: `hand`, `schedule`.
    pub trigger: String,
    /// The nominal time that it runs for; without one it is now.
    pub scheduled_for: Option<Nominal>,
    /// The decision of a schedule that it carries out: its number in the ledger.
    pub firing: Option<i64>,
    /// Only go on with an unfinished run of the same source: begin no other.
    pub only_resume: bool,
    /// Which archived items it works on again, instead of what its source yields.
    pub replay: Option<Selection>,
    /// An archive that takes precedence over the one in the code.
    pub archive: Option<PathBuf>,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// The switch that stops it.
    pub stop: Stop,
    /// Set items aside though the first twenty all fail alike; otherwise the run halts then.
    pub keep_going: bool,
    /// How long an item may show no sign of life in a step before it is parked as stuck.
    pub patience: Duration,
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
            scheduled_for: None,
            firing: None,
            only_resume: false,
            replay: None,
            archive: None,
            progress: Arc::new(Silent),
            stop: Stop::default(),
            keep_going: false,
            patience: Duration::from_secs(3600),
        }
    }
}

impl Home {
    /// Runs a job: goes on with its unfinished run if there is one, else begins a new one.
    ///
    /// What is logged meanwhile is in a tracing span `run`. Once the run is known, the span's field
    /// `run` has its id and `log` the file that a listener may keep its lines in.
    ///
    /// # Errors
    /// Before anything is requested: a table that does not fit, an archive that was never
    /// initialised, a model that is not there. Later: whatever halts the run, or `interrupted`.
    #[tracing::instrument(name = "run", skip_all, fields(pipeline = job.blueprint.name, run = Empty, log = Empty))]
    pub async fn run(self: &Arc<Self>, job: &Job, options: RunOptions) -> Result<RunReport> {
        let ended = self.whole_run(job, options).await;
        log::ended(&ended);
        ended
    }

    async fn whole_run(self: &Arc<Self>, job: &Job, options: RunOptions) -> Result<RunReport> {
        let blueprint = &job.blueprint;
        self.check_owner()?;
        blueprint.check()?;
        let from = first_step(blueprint, &options)?;
        let _at_work = match options.replay {
            Some(_) => self.last_turn(&blueprint.name).await,
            None => self.turn(&blueprint.name).await,
        };
        let begun = self.clock().now();
        if options.stop.urgency() > Urgency::Go {
            return Err(not_begun()); // it was stopped while it waited for its turn
        }
        if let Some(no) = options.firing
            && self.ledger().read(move |read| firings::is_published(read, no)).await?
        {
            return Err(has_its_run()); // while this one waited for its turn
        }
        let gate = match &blueprint.archive {
            Some(archive) => {
                Some(gate::open_gate(self, archive, options.archive.as_deref()).await?)
            }
            None => None,
        };
        reenter::check(self, blueprint, gate.as_ref(), &options).await?;
        let scene = scene(self, blueprint, &options, gate.as_ref()).await?;
        check_tables(&scene, blueprint).await?;
        let prepared = prepare(&scene, blueprint, from).await?;
        finish::missing_snapshots(&scene).await?;
        let replaying =
            reenter::open(&scene, blueprint, gate.as_ref(), &options, &prepared).await?;
        let with = With { replaying, ..With::default() };
        let (live, carried, resumed) = begin(&scene, blueprint, prepared, &options, with).await?;
        log::begun(self, &live.run.id, &live.run.id);
        finish::clear_abandoned(&scene).await?;
        scene.progress.event(&Event::Begun { run: &live.run.id, resumed, carried });
        tracing::info!(run = %live.run.id, pipeline = %scene.pipeline, resumed, carried, "run begun");

        let _whole = AbandonOnDrop(Arc::clone(&live));
        flow(&live, job).await?;
        let published = match finish::seal_and_publish(&live).await {
            Ok(published) => published,
            Err(error) => return Err(halted(&live, error).await),
        };
        // From here on the run is published, whatever happens: the next run makes up for the rest.
        finish::missing_snapshots(&scene).await?;
        let (offload, retention) = finish::archive(&scene, gate.as_ref()).await?;
        let how = How { begun, carried, resumed };
        let report = report(&live, how, published, offload, retention).await?;
        keep_report(&live, report.state, &report).await?;
        finish::clean(&scene).await;
        scene.progress.event(&Event::Ended { report: &report });
        Ok(report)
    }
}

impl Home {
    /// Brings files of a job that wait on scratch to its archive. `None` when a run of it is at work:
    /// that one does it.
    ///
    /// # Errors
    /// As [`run`](Home::run) for the archive; or what went wrong on the way.
    pub async fn offload(
        self: &Arc<Self>,
        job: &Job,
        place: Option<PathBuf>,
    ) -> Result<Option<OffloadReport>> {
        self.check_owner()?;
        let blueprint = &job.blueprint;
        let (Some(_at_work), Some(archive)) = (self.turn_now(&blueprint.name), &blueprint.archive)
        else {
            return Ok(None);
        };
        let gate = gate::open_gate(self, archive, place.as_deref()).await?;
        if let Some(why) = &gate.away {
            return Ok(Some(OffloadReport::away(&gate.root, why))); // nothing is written for a look
        }
        let options = RunOptions { archive: place, ..RunOptions::default() };
        let scene = scene(self, blueprint, &options, Some(&gate)).await?;
        finish::missing_snapshots(&scene).await?; // before its run counts as finished
        let (report, _) = finish::archive(&scene, Some(&gate)).await?;
        Ok(Some(report))
    }
}

/// The first step that works: in a replay the one behind the step that it enters behind.
fn first_step(blueprint: &Blueprint, options: &RunOptions) -> Result<usize> {
    let Some(selection) = &options.replay else { return Ok(0) };
    selection.check()?;
    Ok(blueprint.reentry(&selection.from)?.no + 1)
}

fn has_its_run() -> Error {
    Error::halt("this time of the schedule has its run")
        .because("has_its_run")
        .help("`schedule log` shows which; `run` without --at runs now")
}

pub(super) fn not_begun() -> Error {
    Error::halt("interrupted before it began").because("interrupted").help("run it again")
}

/// Moves the items until there are no more, or until the run is to stop.
async fn flow(live: &Arc<Live>, job: &Job) -> Result<()> {
    pulse::beat(live).await?;
    pulse::keep_beating(live);
    watch_the_time(live)?;
    (job.drain)(Arc::clone(live)).await;
    live.joined().await;
    stopped(live).await
}

/// Takes one item through the flow, and publishes nothing of it; what its models answered stays.
#[tracing::instrument(name = "run", skip_all, fields(pipeline = job.blueprint.name, run = Empty, log = Empty))]
pub(super) async fn trial(
    home: &Arc<Home>,
    job: &Job,
    trial: Trial,
    options: RunOptions,
) -> Result<TrialReport> {
    let blueprint = &job.blueprint;
    let (name, progress) = (blueprint.name.clone(), Arc::clone(&options.progress));
    let pipeline_no = home.ledger().commit(move |tx| pipelines::number(tx, &name)).await?;
    let scene = Arc::new(Scene::new(
        Arc::clone(home),
        blueprint.name.clone(),
        pipeline_no,
        progress,
        options.stop.clone(),
        true,
    ));
    check_tables(&scene, blueprint).await?;
    let prepared = prepare(&scene, blueprint, 0).await?;
    let with = With { trial: Some(trial), ..With::default() };
    let (live, _, _) = begin(&scene, blueprint, prepared, &options, with).await?;
    log::begun(home, &live.run.id, &format!("{}-try", live.run.id));
    let whole = AbandonOnDrop(Arc::clone(&live));
    let flowed = flow(&live, job).await;
    drop(whole);
    let (run_no, now) = (live.run.no, live.now_millis());
    home.ledger().commit(move |tx| runs::give_up(tx, run_no, now)).await?;
    finish::clear_abandoned(&scene).await?;
    finish::clean(&scene).await;
    flowed?;
    live.trial
        .as_ref()
        .map(|trial| trial.report(&live))
        .ok_or_else(|| Error::halt("nothing was tried"))
}

/// How a run came to be.
struct How {
    begun: DateTime<Utc>,
    carried: u64,
    resumed: bool,
}

async fn report(
    live: &Arc<Live>,
    how: How,
    published: finish::Published,
    offload: OffloadReport,
    retention: PruneReport,
) -> Result<RunReport> {
    let (scene, run_no) = (&live.scene, live.run.no);
    let (items, reasons) = live.ledger().read(move |read| items::ends(read, run_no)).await?;
    let state = match offload.state.as_str() {
        "waiting" => RunState::Published,
        _ => RunState::Finished,
    };
    Ok(RunReport {
        run: live.run.id.clone(),
        pipeline: scene.pipeline.clone(),
        scheduled_for: live.run.scheduled_for.clone(),
        dt: live.run.dt.clone(),
        resumed: how.resumed,
        state,
        carried: how.carried,
        items,
        calls_made: live.calls().0,
        calls_remembered: live.calls().1,
        changed_rows: published.changed_rows,
        repeated_keys: published.repeated_keys,
        steps: live.steps(),
        said: scene.said(),
        reasons,
        offload,
        retention,
        millis: u64::try_from((scene.home.clock().now() - how.begun).num_milliseconds())
            .unwrap_or(0),
    })
}

/// Ends a run's tasks when the run itself is dropped in the middle.
struct AbandonOnDrop(Arc<Live>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

pub(super) async fn scene(
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
        false,
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

/// Turns the run's bound when its time is up.
fn watch_the_time(live: &Arc<Live>) -> Result<()> {
    // A replay goes on for as long as it takes: it gives way to every other run.
    let until = live.blueprint.until()?.filter(|_| live.replaying.is_none());
    let Some(until) = until else { return Ok(()) };
    let home = &live.scene.home;
    let now = home.clock().now();
    let local = home.zone().local(now);
    let today = local.date().and_time(until);
    let end = if today > local { today } else { today + Days::new(1) };
    let zone = home.zone();
    let (clock, scene) = (Arc::clone(home.clock()), Arc::clone(&live.scene));
    live.accompany(async move {
        // In small steps, since the clock may be set, and the machine may sleep.
        while zone.local(clock.now()) < end {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        scene.say(format!(
            "it is {}: what is done is published, the rest waits for the next run",
            until.format("%H:%M")
        ));
        scene.bound.drain();
    });
    Ok(())
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
    pulse::beat(live).await?;
    live.ledger().flush().await?;
    let (counts, _) = live.ledger().read(move |read| items::ends(read, run_no)).await?;
    live.ledger().commit(move |tx| runs::stop(tx, run_no)).await?;
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
    let last = pulse::last(live, Some(error.to_string())).await;
    let noted = live.ledger().commit(move |tx| runs::halt(tx, run_no, now)).await;
    if let Err(second) = last.and(noted) {
        tracing::warn!(error = %second, "the halt could not be noted; the run counts as killed");
    }
    error
}

async fn keep_report(live: &Arc<Live>, state: RunState, report: &RunReport) -> Result<()> {
    let (run_no, now, text) = (live.run.no, live.now_millis(), serde_json::to_string(report)?);
    live.ledger().commit(move |tx| runs::set_state(tx, run_no, state, now, Some(&text))).await
}
