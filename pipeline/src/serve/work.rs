//! The worker of one pipeline: its unfinished run first, then what is due, one after another.

use super::orders::ReplayOrder;
use super::server::Server;
use crate::clock::{Nominal, Policy};
use crate::ledger::{FiringRow, RunRow, RunState, ScheduleRow, firings};
use crate::mill::Planned;
use crate::run::progress::overheard;
use crate::run::stop::Urgency;
use crate::run::{RunOptions, RunReport, Stop};
use crate::{Error, Result, crash};
use futures_util::FutureExt as _;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify as Bell;
use tokio::task::JoinSet;

/// A run that was resumed so often and never came to its end is left to a person.
const ATTEMPTS: u32 = 5;

/// So long a run that is told to stop may take over what is in hand.
const LEAVE: Duration = Duration::from_secs(120);

/// A replay whose archive is away is tried again so often.
const AWAY: Duration = Duration::from_secs(300);

/// After a failure of the ledger.
const PAUSE: Duration = Duration::from_secs(30);

/// What a worker found to do.
enum Found {
    Done,
    Nothing,
}

impl Server {
    /// Lets runs go on that were killed at work, each pipeline in its own worker. Later ones are not
    /// looked for: who is served cannot be killed alone.
    pub(super) async fn wake_sleepers(self: &Arc<Self>) -> Result<()> {
        for name in self.with.roster.names(&self.home).await? {
            self.wake_replay(&name).await?;
            if let Some(orphan) = self.orphan(&name).await? {
                self.workers.orphan(orphan);
                self.employ(&name);
            }
        }
        Ok(())
    }

    /// Lets the unfinished replay of a pipeline go on, unless it was killed too often.
    async fn wake_replay(self: &Arc<Self>, pipeline: &str) -> Result<()> {
        let name = pipeline.to_string();
        let runs =
            self.home.ledger().read(move |read| RunRow::newest(read, Some(&name), 20)).await?;
        let goes_on = |run: &RunRow| run.state == RunState::Interrupted && run.attempt < ATTEMPTS;
        let Some(run) = runs.into_iter().find(|run| run.replay.is_some() && goes_on(run)) else {
            return Ok(());
        };
        let (server, id) = (Arc::clone(self), run.id);
        let (pipeline, Some(selection)) = (pipeline.to_string(), run.replay) else { return Ok(()) };
        self.workers.spawn(async move {
            tracing::info!(pipeline, run = %id, "goes on with the replay that was interrupted");
            let (keep_going, archive) = (false, None);
            let order = ReplayOrder { pipeline, selection, keep_going, archive };
            while let Err(error) = guarded(server.replay_order(order.clone(), |_| {})).await {
                if server.with.stop.urgency() > Urgency::Go {
                    return;
                }
                if error.reason() != "archive_away" {
                    tracing::error!(run = %id, %error, "the replay failed");
                    return;
                }
                server.pause(AWAY).await;
            }
        });
        Ok(())
    }

    /// Works until this pipeline has nothing to do.
    pub(super) async fn work(self: Arc<Self>, pipeline: String) {
        while self.with.stop.urgency() == Urgency::Go {
            match self.work_once(&pipeline).await {
                Ok(Found::Done) => self.bell.notify_one(),
                Ok(Found::Nothing) if self.workers.may_leave(&pipeline) => return,
                Ok(Found::Nothing) => {}
                Err(error) => {
                    tracing::error!(pipeline, %error, "the worker of this pipeline met an error");
                    self.home.mend_when_idle();
                    self.pause(PAUSE).await;
                }
            }
        }
    }

    async fn work_once(self: &Arc<Self>, pipeline: &str) -> Result<Found> {
        if let Some(orphan) = self.workers.take_orphan(pipeline) {
            self.resume(pipeline, &orphan).await?;
            return Ok(Found::Done);
        }
        let name = pipeline.to_string();
        let firing = self.home.ledger().read(move |r| FiringRow::first_open(r, &name)).await?;
        let Some(firing) = firing else { return Ok(Found::Nothing) };
        if firing.waits(self.home.clock().now()) {
            return Ok(Found::Nothing); // the server comes back when it is time
        }
        self.carry_out_firing(&firing).await?;
        Ok(Found::Done)
    }

    /// A run that was killed at work, unless its schedule is paused or it was killed too often.
    async fn orphan(&self, pipeline: &str) -> Result<Option<RunRow>> {
        let name = pipeline.to_string();
        self.home
            .ledger()
            .read(move |read| {
                // A replay goes on by its own way.
                let runs = RunRow::newest(read, Some(&name), 20)?;
                let newest = runs.into_iter().find(|run| run.replay.is_none());
                let paused =
                    ScheduleRow::of(read, &name)?.is_some_and(|row| row.paused_at.is_some());
                Ok(newest.filter(|run| {
                    run.state == RunState::Interrupted && run.attempt < ATTEMPTS && !paused
                }))
            })
            .await
    }

    /// Goes on with a run that was killed. What it was begun for, it still is for.
    async fn resume(self: &Arc<Self>, pipeline: &str, orphan: &RunRow) -> Result<()> {
        tracing::info!(pipeline, run = %orphan.id, "goes on with the run that was interrupted");
        let no = orphan.no;
        let firing = self.home.ledger().read(move |read| firings::of_run(read, no)).await?;
        if let Some(firing) = firing {
            return self.carry_out_firing(&firing).await;
        }
        let Err(error) = guarded(self.go_on(pipeline, orphan)).await else { return Ok(()) };
        if self.with.stop.urgency() > Urgency::Go || error.reason() == "nothing_to_resume" {
            return Ok(());
        }
        tracing::error!(pipeline, %error, "the resumed run failed");
        self.told_failure(pipeline, Some(&orphan.id), &error).await
    }

    async fn go_on(self: &Arc<Self>, pipeline: &str, orphan: &RunRow) -> Result<RunReport> {
        let scheduled_for = orphan.scheduled_for.parse::<Nominal>().ok();
        let planned = self.with.roster.find(&self.home, pipeline).await?;
        let (stop, _forward) = self.stop_of_one();
        let only_resume = true; // of another source by now, it is left to who begins the next one
        let options = RunOptions { scheduled_for, stop, only_resume, ..self.options(&planned) };
        self.bounded(&planned, options, self.policy(pipeline).await?.timeout).await
    }

    /// Runs a job; one that takes longer than this from its beginning is stopped.
    async fn bounded(
        &self,
        planned: &Planned,
        mut options: RunOptions,
        most: Option<Duration>,
    ) -> Result<RunReport> {
        let watch = most.map(|most| Watch::over(options.stop.clone(), most));
        if let Some(watch) = &watch {
            let begun = Arc::clone(&watch.begun);
            // Not before: it may have to wait for its turn.
            options.progress = overheard(options.progress, move |_| begun.notify_one());
        }
        match (self.home.run(&planned.job, options).await, watch) {
            (Err(_), Some(watch)) if watch.over.load(Relaxed) => Err(took_too_long(watch.most)),
            (ran, _) => ran,
        }
    }

    async fn carry_out_firing(self: &Arc<Self>, firing: &FiringRow) -> Result<()> {
        let no = firing.no;
        if self.is_published(firing).await? {
            return self.succeeded(firing, None).await; // it was killed before it could say so
        }
        let Policy { timeout, retries, .. } = self.policy(&firing.pipeline).await?;
        if firing.tries >= retries + ATTEMPTS {
            return self.failed(firing, 0, killed_again_and_again(firing.tries)).await;
        }
        self.home.ledger().commit(move |tx| firings::begin(tx, no)).await?;
        crash::point("serve.begun");
        match guarded(self.run_for(firing, timeout)).await {
            Ok(_) => self.succeeded(firing, None).await,
            // Somebody ran it by hand while this waited for its turn.
            Err(error) if error.reason() == "has_its_run" => self.succeeded(firing, None).await,
            // What failed behind the publish is made up for by the next run.
            Err(error) if self.is_published(firing).await? => {
                self.succeeded(firing, Some(error)).await
            }
            Err(error) if self.with.stop.urgency() > Urgency::Go => {
                // The next server goes on with it. Only kills count against it.
                tracing::info!(pipeline = firing.pipeline, %error, "stopped");
                self.home.ledger().commit(move |tx| firings::put_back(tx, no)).await
            }
            Err(error) => self.failed(firing, retries, error).await,
        }
    }

    async fn is_published(&self, firing: &FiringRow) -> Result<bool> {
        let no = firing.no;
        self.home.ledger().read(move |read| firings::is_published(read, no)).await
    }

    /// Its run is published; something behind that may have failed all the same.
    async fn succeeded(&self, firing: &FiringRow, but: Option<Error>) -> Result<()> {
        let no = firing.no;
        let outcome =
            but.as_ref().map_or("published".into(), |but| format!("published, but: {but}"));
        self.end(firing, &outcome).await?;
        if let Some(error) = but {
            tracing::error!(pipeline = firing.pipeline, %error, "failed behind the publish");
            self.told_failure(&firing.pipeline, firing.run.as_deref(), &error).await?;
        }
        match self.home.ledger().read(move |read| firings::published_run(read, no)).await? {
            Some(run) => self.told_success(&run).await,
            None => Ok(()),
        }
    }

    /// The run of a firing. An older run that is not finished comes first: it is not what this
    /// firing is for.
    async fn run_for(
        self: &Arc<Self>,
        firing: &FiringRow,
        most: Option<Duration>,
    ) -> Result<RunReport> {
        let planned = self.with.roster.find(&self.home, &firing.pipeline).await?;
        loop {
            let (stop, _forward) = self.stop_of_one();
            let options = RunOptions {
                trigger: "schedule".into(),
                scheduled_for: Some(firing.scheduled_for.parse()?),
                firing: Some(firing.no),
                stop,
                ..self.options(&planned)
            };
            let report = self.bounded(&planned, options, most).await?;
            if self.is_published(firing).await? {
                return Ok(report);
            }
        }
    }

    async fn failed(&self, firing: &FiringRow, retries: u32, error: Error) -> Result<()> {
        let failures = firing.failures + 1;
        let outcome = error.to_string();
        let no = firing.no;
        let now = self.home.clock().now().timestamp_millis();
        if failures <= retries && error.reason() != "run_timeout" {
            let name = firing.pipeline.clone();
            let pause = self.policy(&name).await?.pause_after(failures);
            let at = now + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
            tracing::warn!(pipeline = name, %error, failures, again_in_s = pause.as_secs(), "the run failed and is tried again");
            return self.home.ledger().commit(move |tx| firings::again(tx, no, at, &outcome)).await;
        }
        tracing::error!(pipeline = firing.pipeline, %error, failures, "the run failed");
        self.end(firing, &outcome).await?;
        self.told_failure(&firing.pipeline, None, &error).await
    }

    async fn end(&self, firing: &FiringRow, outcome: &str) -> Result<()> {
        let (no, outcome) = (firing.no, outcome.to_string());
        let now = self.home.clock().now().timestamp_millis();
        self.home.ledger().commit(move |tx| firings::end(tx, no, now, &outcome)).await
    }

    async fn policy(&self, pipeline: &str) -> Result<Policy> {
        let name = pipeline.to_string();
        let row = self.home.ledger().read(move |read| ScheduleRow::of(read, &name)).await?;
        Ok(row.map(|row| row.timing.policy).unwrap_or_default())
    }

    /// What every run of the server is begun with.
    pub(crate) fn options(&self, planned: &Planned) -> RunOptions {
        RunOptions {
            archive: self.with.archive.clone().or_else(|| planned.archive.clone()),
            progress: (self.with.tell)(planned.job.name()),
            ..RunOptions::default()
        }
    }

    /// Waits, but not when the server is to stop.
    async fn pause(&self, span: Duration) {
        tokio::select! {
            () = self.home.clock().sleep(span) => {}
            () = self.with.stop.reached(Urgency::Drain) => {}
        }
    }
}

/// Makes of a panic an error like another: it must not take the worker with it.
pub(super) async fn guarded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::halt(format!("the run panicked: {text}"))
        .because("panicked")
        .help("this is a mistake in a step's code, or in ours: please report it")
}

fn killed_again_and_again(tries: u32) -> Error {
    Error::halt(format!("the run was begun {tries} times and never came to its end"))
        .because("killed_again_and_again")
        .help("look at `runs logs` and at the machine's memory; `run` goes on with it by hand")
}

fn took_too_long(most: Duration) -> Error {
    Error::halt(format!("the run took longer than {} s and was stopped", most.as_secs()))
        .because("run_timeout")
        .help("what it did is remembered: the next run goes on with it")
}

/// Stops a run that takes too long from its beginning; one that does not leave then is cut off.
struct Watch {
    most: Duration,
    begun: Arc<Bell>,
    over: Arc<AtomicBool>,
    /// Ends with the watch.
    _task: JoinSet<()>,
}

impl Watch {
    fn over(stop: Stop, most: Duration) -> Self {
        let (begun, over) = (Arc::new(Bell::new()), Arc::new(AtomicBool::new(false)));
        let (has_begun, is_over) = (Arc::clone(&begun), Arc::clone(&over));
        let mut task = JoinSet::new();
        task.spawn(async move {
            has_begun.notified().await;
            tokio::time::sleep(most).await;
            is_over.store(true, Relaxed);
            stop.drain();
            tokio::time::sleep(LEAVE).await;
            stop.abort();
        });
        Self { most, begun, over, _task: task }
    }
}
