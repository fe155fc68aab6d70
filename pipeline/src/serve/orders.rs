//! Orders: what may be asked of the program that owns a home, by itself or from another terminal.

use super::server::Server;
use crate::build::Archive;
use crate::clock::Timing;
use crate::ledger::{
    JobRow, ParkedFilter, ParkedItem, RunRow, ScheduleRow, jobs, parked, schedules, undo,
};
use crate::mill::Home;
use crate::replay::Selection;
use crate::run::progress::overheard;
use crate::run::{PruneReport, RunOptions, RunReport, apply, decide, open_gate};
use crate::tier::Tier;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Something that changes the mill and is done by its owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Take parked items off the list, to be tried again by the next run.
    RetryParked(ParkedFilter),
    /// Take parked items off the list for good.
    DropParked(ParkedFilter),
    /// Take a published run back.
    Rollback {
        /// The run's id.
        run: String,
    },
    /// Apply retention to archives.
    Prune {
        /// Pipelines, each with its archive and policy.
        policies: Vec<(String, Archive)>,
        /// An archive that takes precedence.
        place: Option<PathBuf>,
        /// Carry out a large plan, too.
        yes: bool,
    },
    /// Run a pipeline now: only a program that serves, or one that replays, does this.
    Run(RunOrder),
    /// Work on archived items again: only a program that serves does this.
    Replay(ReplayOrder),
    /// Give up the unfinished replay of a pipeline.
    EndReplay {
        /// The pipeline.
        pipeline: String,
    },
    /// Take an archive at a place from now on, also where another one was known before.
    Accept {
        /// The archive's folder.
        place: PathBuf,
        /// The archive.
        tier: Tier,
    },
    /// Let the times of a schedule pass until it is resumed.
    Pause {
        /// The schedule: its pipeline.
        pipeline: String,
    },
    /// End the pause of a schedule.
    Resume {
        /// The schedule: its pipeline.
        pipeline: String,
    },
    /// Remember a job, and when it runs.
    Remember {
        /// The job.
        job: JobRow,
        /// When it runs.
        timing: Timing,
    },
    /// Forget a job that was remembered.
    Forget {
        /// Its pipeline.
        pipeline: String,
    },
}

/// What a run that is ordered is begun with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunOrder {
    /// The pipeline.
    pub pipeline: String,
    /// A missed day, or a missed time, instead of now.
    pub at: Option<String>,
    /// Set items aside though the first twenty all fail alike.
    pub keep_going: bool,
    /// An archive that takes precedence over the one of the job.
    pub archive: Option<PathBuf>,
}

/// What a replay that is ordered is begun with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplayOrder {
    /// The pipeline.
    pub pipeline: String,
    /// Which archived items.
    pub selection: Selection,
    /// Set items aside though the first twenty all fail alike.
    pub keep_going: bool,
    /// An archive that takes precedence over the one of the job.
    pub archive: Option<PathBuf>,
}

impl Home {
    /// Carries an order out, and says what was done.
    ///
    /// # Errors
    /// When it cannot be done; then nothing was, but that `prune` may have done some pipelines.
    pub async fn carry_out(self: &Arc<Self>, order: Order) -> Result<Value> {
        self.check_owner()?;
        self.mend_when_idle();
        let done = match order {
            Order::RetryParked(filter) => self.retry_parked(filter).await,
            Order::DropParked(filter) => self.unpark(filter, parked::drop).await,
            Order::Rollback { run } => self.rollback(&run).await,
            Order::Prune { policies, place, yes } => self.prune(policies, place, yes).await,
            Order::Run(RunOrder { pipeline, .. }) | Order::Replay(ReplayOrder { pipeline, .. }) => {
                Err(Error::halt(format!(
                    "the program that owns the home does one job and does not run {pipeline}"
                ))
                .because("home_locked")
                .help("wait until it is done; or let `serve` own the home: it takes orders"))
            }
            Order::EndReplay { pipeline } => {
                let run = self.give_up_replay(&pipeline).await;
                run.map(|run| json!({ "run": run }))
            }
            Order::Accept { place, tier } => {
                self.accept_archive(&tier, &place).await.map(|()| json!({}))
            }
            Order::Pause { pipeline } => self.pause(pipeline, true).await,
            Order::Resume { pipeline } => self.pause(pipeline, false).await,
            Order::Remember { job, timing } => self.remember(job, timing).await,
            Order::Forget { pipeline } => self.forget(pipeline).await,
        };
        self.stirred().notify_one();
        done
    }

    /// What a replay set aside is not the business of the next run, which reads from its source.
    async fn retry_parked(&self, filter: ParkedFilter) -> Result<Value> {
        let keys = self
            .ledger()
            .transaction(move |tx| {
                let items = ParkedItem::all(tx, &filter)?;
                let (replayed, items): (Vec<_>, Vec<_>) =
                    items.into_iter().partition(|item| item.replayed_from.is_some());
                if let (Some(first), true) = (replayed.first(), items.is_empty()) {
                    return Err(by_replay(first));
                }
                parked::retry(tx, &items)?;
                Ok(items.into_iter().map(|item| item.key).collect::<Vec<_>>())
            })
            .await?;
        Ok(json!({ "count": keys.len(), "keys": keys }))
    }

    async fn unpark(
        &self,
        filter: ParkedFilter,
        act: fn(&crate::ledger::Tx<'_>, &[ParkedItem]) -> Result<()>,
    ) -> Result<Value> {
        let keys = self
            .ledger()
            .transaction(move |tx| {
                let items = ParkedItem::all(tx, &filter)?;
                act(tx, &items)?;
                Ok(items.into_iter().map(|item| item.key).collect::<Vec<_>>())
            })
            .await?;
        Ok(json!({ "count": keys.len(), "keys": keys }))
    }

    async fn rollback(self: &Arc<Self>, run: &str) -> Result<Value> {
        let id = run.to_string();
        let found = self.ledger().read(move |read| RunRow::by_id(read, &id)).await?;
        let _at_work = match &found {
            // A replay makes room, as it does for a run.
            Some(run) if self.lane().is_replayed(&run.pipeline) => {
                Some(self.turn(&run.pipeline).await)
            }
            Some(run) => Some(self.turn_now(&run.pipeline).ok_or_else(|| {
                Error::halt(format!("a run of {} is at work", run.pipeline))
                    .because("at_work")
                    .help("wait until it is done, then take the other one back")
            })?),
            None => None,
        };
        let (id, now) = (run.to_string(), self.clock().now().timestamp_millis());
        let done = self.ledger().transaction(move |tx| undo::rollback(tx, &id, now)).await?;
        Ok(serde_json::to_value(done)?)
    }

    /// Applies retention to the archives of these pipelines, each when no run of it is at work.
    async fn prune(
        self: &Arc<Self>,
        policies: Vec<(String, Archive)>,
        place: Option<PathBuf>,
        yes: bool,
    ) -> Result<Value> {
        let mut whole = PruneReport::default();
        for (pipeline, archive) in policies {
            let _at_work = self.turn(&pipeline).await;
            let gate = open_gate(self, &archive, place.as_deref()).await?;
            let Some(tier) = gate.tier else {
                let why = gate.away.unwrap_or_default();
                let place = gate.root.display().to_string();
                return Err(Error::wait(format!("the archive {place} is away: {why}"))
                    .because("archive_away")
                    .help("mount it and prune again"));
            };
            let lines = decide(self, &pipeline, &archive, Some(&tier.id)).await?;
            let report = apply(self, &tier, lines, yes).await?;
            whole.kept += report.kept;
            whole.decisions.extend(report.decisions);
            whole.held_back = whole.held_back.or(report.held_back);
        }
        Ok(serde_json::to_value(whole)?)
    }

    async fn pause(&self, pipeline: String, paused: bool) -> Result<Value> {
        let now = self.clock().now();
        let changed = self
            .ledger()
            .transaction(move |tx| {
                let row = ScheduleRow::of(tx, &pipeline)?.ok_or_else(|| unscheduled(&pipeline))?;
                schedules::pause(tx, &row, paused, now)
            })
            .await?;
        Ok(json!({ "changed": changed }))
    }

    async fn remember(&self, job: JobRow, timing: Timing) -> Result<Value> {
        let now = self.clock().now();
        let (replaced, paused) = self
            .ledger()
            .transaction(move |tx| {
                let of_code =
                    ScheduleRow::of(tx, &job.pipeline)?.is_some_and(|row| row.origin == "code");
                if of_code {
                    return Err(Error::halt(format!(
                        "`{}` is a pipeline of a program that runs in this home",
                        job.pipeline
                    ))
                    .because("bad_name")
                    .help("give the job another name with --name"));
                }
                let known = JobRow::of(tx, &job.pipeline)?.is_some();
                jobs::remember(tx, &job, now.timestamp_millis())?;
                schedules::enrol(tx, &job.pipeline, "home", &timing, now)?;
                let row = ScheduleRow::of(tx, &job.pipeline)?;
                Ok((known, row.is_some_and(|row| row.paused_at.is_some())))
            })
            .await?;
        Ok(json!({ "replaced": replaced, "paused": paused }))
    }

    async fn forget(&self, pipeline: String) -> Result<Value> {
        let now = self.clock().now().timestamp_millis();
        self.ledger()
            .transaction(move |tx| {
                if !jobs::forget(tx, &pipeline)? {
                    return Err(Error::halt(format!("this home remembers no job `{pipeline}`"))
                        .because("usage")
                        .help("`digest --list` shows what it remembers"));
                }
                schedules::let_go(tx, &pipeline, now)
            })
            .await?;
        Ok(json!({}))
    }
}

fn by_replay(item: &ParkedItem) -> Error {
    let (pipeline, from) = (&item.pipeline, item.replayed_from.as_deref().unwrap_or_default());
    Error::halt("these were set aside by a replay; the next run does not take them")
        .because("usage")
        .help(format!("`replay {pipeline} --from {from} --only parked` takes them again"))
}

fn unscheduled(pipeline: &str) -> Error {
    Error::halt(format!("`{pipeline}` has no schedule in this home"))
        .because("usage")
        .help("`schedule ls` shows the schedules; those of a program are known once it has served")
}

impl Server {
    /// Works on archived items again because somebody says so. `told` is given the run's id as soon as
    /// it has one.
    pub(super) async fn replay_order(
        self: &Arc<Self>,
        order: ReplayOrder,
        told: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Option<RunReport>> {
        let planned = self.with.roster.find(&self.home, &order.pipeline).await?;
        let (stop, _forward) = self.stop_of_one();
        let options = self.options(&planned);
        let options = RunOptions {
            archive: order.archive.or(options.archive),
            progress: overheard(options.progress, told),
            keep_going: order.keep_going,
            stop,
            ..options
        };
        self.home.replay(&planned.job, order.selection, options).await
    }

    /// Runs a pipeline because somebody says so. `told` is given the run's id as soon as it has one.
    pub(super) async fn run_order(
        self: &Arc<Self>,
        order: RunOrder,
        told: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<RunReport> {
        let planned = self.with.roster.find(&self.home, &order.pipeline).await?;
        let (stop, _forward) = self.stop_of_one();
        let options = self.options(&planned);
        let options = RunOptions {
            archive: order.archive.or(options.archive),
            progress: overheard(options.progress, told),
            keep_going: order.keep_going,
            stop,
            ..options
        };
        let report = match &order.at {
            Some(at) => self.home.run_at(&planned, at, options).await,
            None => self.home.run(&planned.job, options).await,
        };
        self.bell.notify_one();
        report
    }
}
