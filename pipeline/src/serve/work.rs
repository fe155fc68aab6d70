//! The worker of one pipeline: its unfinished run first, then what is due, one after another.

use super::server::Server;
use crate::clock::Nominal;
use crate::ledger::{FiringRow, RunRow, RunState, ScheduleRow, firings};
use crate::mill::Planned;
use crate::run::stop::Urgency;
use crate::run::{RunOptions, RunReport, Stop};
use crate::{Error, Result, crash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A run that was resumed so often and never came to its end is left to a person.
const ATTEMPTS: u32 = 5;

/// So long a run that is told to stop may take over what is in hand.
const LEAVE: Duration = Duration::from_secs(120);

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
            if let Some(orphan) = self.orphan(&name).await? {
                self.workers.orphan(orphan);
                self.employ(&name);
            }
        }
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
                let newest = RunRow::newest(read, Some(&name), 1)?.pop();
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
        let Err(error) = self.go_on(pipeline, orphan).await else { return Ok(()) };
        if self.with.stop.urgency() > Urgency::Go {
            return Ok(());
        }
        tracing::error!(pipeline, %error, "the resumed run failed");
        self.told_failure(pipeline, Some(&orphan.id), &error).await
    }

    async fn go_on(self: &Arc<Self>, pipeline: &str, orphan: &RunRow) -> Result<RunReport> {
        let scheduled_for = orphan.scheduled_for.parse::<Nominal>().ok();
        let planned = self.with.roster.find(&self.home, pipeline).await?;
        let (stop, _forward) = self.stop_of_one();
        let options = RunOptions { scheduled_for, stop, ..self.options(&planned) };
        self.home.run(&planned.job, options).await
    }

    async fn carry_out_firing(self: &Arc<Self>, firing: &FiringRow) -> Result<()> {
        let no = firing.no;
        if self.home.ledger().read(move |read| firings::is_published(read, no)).await? {
            return self.end(firing, "published").await; // it was killed before it could say so
        }
        let (timeout, retries) = self.bounds(&firing.pipeline).await?;
        if firing.tries >= retries + ATTEMPTS {
            return self.failed(firing, 0, killed_again_and_again(firing.tries)).await;
        }
        self.home.ledger().commit(move |tx| firings::begin(tx, no)).await?;
        crash::point("serve.begun");
        match self.run_for(firing, timeout).await {
            Ok(report) => {
                self.end(firing, "published").await?;
                self.told_success(&report).await
            }
            // Somebody ran it by hand while this waited for its turn.
            Err(error) if error.reason() == "has_its_run" => self.end(firing, "published").await,
            Err(error) if self.with.stop.urgency() > Urgency::Go => {
                // The next server goes on with it.
                tracing::info!(pipeline = firing.pipeline, %error, "stopped");
                Ok(())
            }
            Err(error) => self.failed(firing, retries, error).await,
        }
    }

    /// The run of a firing. An older run that is not finished comes first: it is not what this
    /// firing is for.
    async fn run_for(
        self: &Arc<Self>,
        firing: &FiringRow,
        most: Option<Duration>,
    ) -> Result<RunReport> {
        let no = firing.no;
        let planned = self.with.roster.find(&self.home, &firing.pipeline).await?;
        loop {
            let (stop, _forward) = self.stop_of_one();
            let watch = most.map(|most| Watch::over(stop.clone(), most));
            let options = RunOptions {
                trigger: "schedule".into(),
                scheduled_for: Some(firing.scheduled_for.parse()?),
                firing: Some(no),
                stop,
                ..self.options(&planned)
            };
            let ran = self.home.run(&planned.job, options).await;
            if let (Err(_), Some(watch)) = (&ran, &watch)
                && watch.over.load(Relaxed)
            {
                return Err(took_too_long(watch.most));
            }
            let report = ran?;
            if self.home.ledger().read(move |read| firings::is_published(read, no)).await? {
                return Ok(report);
            }
        }
    }

    async fn failed(&self, firing: &FiringRow, retries: u32, error: Error) -> Result<()> {
        let tries = firing.tries + 1;
        let outcome = error.to_string();
        let no = firing.no;
        let now = self.home.clock().now().timestamp_millis();
        if tries <= retries && error.reason() != "run_timeout" {
            let name = firing.pipeline.clone();
            let pause = self.policy(&name).await?.pause_after(tries);
            let at = now + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
            tracing::warn!(pipeline = name, %error, tries, again_in_s = pause.as_secs(), "the run failed and is tried again");
            return self.home.ledger().commit(move |tx| firings::again(tx, no, at, &outcome)).await;
        }
        tracing::error!(pipeline = firing.pipeline, %error, tries, "the run failed");
        self.end(firing, &outcome).await?;
        self.told_failure(&firing.pipeline, None, &error).await
    }

    async fn end(&self, firing: &FiringRow, outcome: &str) -> Result<()> {
        let (no, outcome) = (firing.no, outcome.to_string());
        let now = self.home.clock().now().timestamp_millis();
        self.home.ledger().commit(move |tx| firings::end(tx, no, now, &outcome)).await
    }

    /// How long a run may take, and how often it is tried again.
    async fn bounds(&self, pipeline: &str) -> Result<(Option<Duration>, u32)> {
        let policy = self.policy(pipeline).await?;
        Ok((policy.timeout, policy.retries))
    }

    async fn policy(&self, pipeline: &str) -> Result<crate::clock::Policy> {
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

/// Stops a run that takes too long; one that does not leave then is cut off.
struct Watch {
    most: Duration,
    over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn over(stop: Stop, most: Duration) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let task = tokio::spawn(async move {
            tokio::time::sleep(most).await;
            is_over.store(true, Relaxed);
            stop.drain();
            tokio::time::sleep(LEAVE).await;
            stop.abort();
        });
        Self { most, over, task }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
