//! The server: it watches the clock, the letter box and the archives until it is told to stop.

use super::roster::Roster;
use super::tick::tick;
use super::workers::Workers;
use super::{Mute, Notify};
use crate::ledger::{self, FiringRow, ScheduleRow, schedules};
use crate::mill::{Home, Owner};
use crate::run::stop::Urgency;
use crate::run::{Progress, Silent, Stop};
use crate::{Result, crash};
use chrono::{DateTime, Utc};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify as Bell;
use tokio::task::JoinSet;

/// The clock is read at least so often: it may have been set, and the machine may have slept.
const STEP: Duration = Duration::from_secs(30);

/// How often it looks whether an archive is there again.
const TEND: Duration = Duration::from_secs(30);

/// While it waits for something that may take long, a sign of life comes so often.
const ALIVE: Duration = Duration::from_secs(10);

/// … and so many of them: for an hour.
const SIGNS: u32 = 360;

/// From when on a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// More parked items than this.
    pub parked: u64,
    /// An archive or a model is away for longer than this.
    pub away: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parked: 0, away: Duration::from_secs(86_400) }
    }
}

/// Who is told how a run of this pipeline goes.
pub type Tell = Arc<dyn Fn(&str) -> Arc<dyn Progress> + Send + Sync>;

/// What a server works with.
#[derive(Clone)]
pub struct ServeOptions {
    /// The jobs.
    pub roster: Roster,
    /// Where notices go.
    pub notify: Arc<dyn Notify>,
    /// From when on.
    pub limits: Limits,
    /// An archive that takes precedence over those of the jobs.
    pub archive: Option<PathBuf>,
    /// How often it looks whether an archive is there again that files wait for.
    pub tend_every: Duration,
    /// Who is told how runs go.
    pub tell: Tell,
    /// Called whenever the server has looked at the clock: it is alive.
    pub beat: Arc<dyn Fn() + Send + Sync>,
    /// The switch that stops it: drain lets the runs finish what is in hand.
    pub stop: Stop,
}

impl ServeOptions {
    /// For these jobs, without anybody who looks on.
    #[must_use]
    pub fn of(roster: Roster) -> Self {
        Self {
            roster,
            notify: Arc::new(Mute),
            limits: Limits::default(),
            archive: None,
            tend_every: TEND,
            tell: Arc::new(|_| Arc::new(Silent)),
            beat: Arc::new(|| {}),
            stop: Stop::default(),
        }
    }
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeOptions").field("roster", &self.roster).finish_non_exhaustive()
    }
}

/// Runs the jobs of a home by its schedules, and does what others ask of its owner.
#[derive(Debug)]
pub struct Server {
    pub(super) home: Arc<Home>,
    pub(super) with: ServeOptions,
    pub(super) workers: Workers,
    /// Rung when something changed before the next look at the clock.
    pub(super) bell: Arc<Bell>,
    /// Rung when a notice was written down.
    pub(super) post: Bell,
    /// Whether it serves; else it only attends to others beside work of its own.
    pub(super) serves: AtomicBool,
}

impl Server {
    /// A server for a home that was opened as its owner.
    ///
    /// # Errors
    /// When the home was opened to look at it only.
    pub fn new(home: &Arc<Home>, with: ServeOptions) -> Result<Arc<Self>> {
        home.check_owner()?;
        Ok(Arc::new(Self {
            home: Arc::clone(home),
            with,
            workers: Workers::default(),
            bell: Arc::default(),
            post: Bell::default(),
            serves: AtomicBool::new(false),
        }))
    }

    /// Takes over the schedules of the code, lets go on what was killed, and decides what runs at
    /// the start. To be called once, before [`run`](Server::run).
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn open(self: &Arc<Self>) -> Result<()> {
        self.enrol().await?;
        self.wake_sleepers().await
    }

    /// Serves until it is told to stop; then what is in hand is finished and remembered. Failures on
    /// the way are logged and tried again.
    ///
    /// # Errors
    /// When the ledger refuses at the end.
    pub async fn run(self: &Arc<Self>) -> Result<()> {
        self.serves.store(true, Relaxed);
        // What is watched beside the clock ends with this set.
        let mut beside = JoinSet::new();
        beside.spawn(Arc::clone(&self.home).attend(Some(Arc::clone(self))));
        beside.spawn(Arc::clone(self).send_notices());
        beside.spawn(Arc::clone(self).tend());
        while self.with.stop.urgency() == Urgency::Go {
            let pause = match self.alive_while(self.look()).await {
                Ok(pause) => {
                    (self.with.beat)();
                    pause
                }
                Err(error) => {
                    tracing::error!(%error, "the schedules could not be looked at; tried again soon");
                    self.home.mend_when_idle();
                    STEP
                }
            };
            tokio::select! {
                () = self.home.clock().sleep(pause) => {}
                () = self.bell.notified() => {}
                () = self.home.stirred().notified() => {}
                () = self.with.stop.reached(Urgency::Drain) => {}
            }
        }
        let ended = async {
            self.workers.joined().await;
            // One may have been taken just as it was told to stop.
            self.home.answered().await;
        };
        self.alive_while(ended).await;
        self.home.ledger().commit(|tx| ledger::server::set_server(tx, None)).await
    }

    /// What waits behind a long publish, or lets runs finish what is in hand, may take its time: that
    /// is no reason to take the server for dead, within bounds.
    async fn alive_while<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        for _ in 0..SIGNS {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(ALIVE) => (self.with.beat)(),
            }
        }
        work.await
    }

    /// Does one thing, and meanwhile what others ask of the home's owner; what they asked for is
    /// brought to its end, too. No schedule is looked at.
    pub async fn beside<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        let mut attending = JoinSet::new();
        attending.spawn(Arc::clone(&self.home).attend(Some(Arc::clone(self))));
        let done = work.await;
        self.workers.joined().await;
        drop(attending);
        // One may have been taken just then.
        self.workers.joined().await;
        self.home.answered().await;
        done
    }

    /// Decides what is due, lets it be worked on, and says how long nothing will be.
    async fn look(self: &Arc<Self>) -> Result<Duration> {
        self.workers.sweep();
        let names = self.with.roster.names(&self.home).await?;
        tick(&self.home, &names).await?;
        crash::point("serve.decided");
        let (open, rows) = self
            .home
            .ledger()
            .read(|read| Ok((FiringRow::open(read)?, ScheduleRow::all(read)?)))
            .await?;
        // What this program does not have is another program's business.
        let open = open.into_iter().filter(|firing| names.contains(&firing.pipeline));
        let rows = rows.iter().filter(|row| names.contains(&row.pipeline));
        let now = self.home.clock().now();
        let (later, due): (Vec<_>, Vec<_>) = open.partition(|firing| firing.waits(now));
        due.iter().for_each(|firing| self.employ(&firing.pipeline));
        let tries = later.iter().filter_map(|firing| firing.next_try_at);
        let tries = tries.filter_map(DateTime::from_timestamp_millis);
        let times = rows.filter_map(ScheduleRow::wakes_at);
        Ok(times.chain(tries).map(|at| until(now, at)).fold(STEP, Duration::min))
    }

    /// Looks at the clock at once: it was set, or something changed.
    pub fn nudge(&self) {
        self.bell.notify_one();
    }

    /// Takes over the schedules of the code, and decides those of `@startup`.
    async fn enrol(&self) -> Result<()> {
        let code: Vec<_> = self
            .with
            .roster
            .code()
            .iter()
            .filter_map(|planned| Some((planned.job.name().to_string(), planned.timing.clone()?)))
            .collect();
        let has_code = !self.with.roster.code().is_empty();
        let known = self.with.roster.names(&self.home).await?;
        let now = self.home.clock().now();
        self.home
            .ledger()
            .transaction(move |tx| {
                for (name, timing) in &code {
                    schedules::enrol(tx, name, "code", timing, now)?;
                }
                let names: Vec<String> = code.iter().map(|(name, _)| name.clone()).collect();
                // A program without pipelines says nothing about those of another program.
                if has_code {
                    schedules::keep_code(tx, &names, now.timestamp_millis())?;
                }
                ledger::server::set_server(tx, Some(&Owner::me(now)))?;
                schedules::start_up(tx, &known, now)
            })
            .await
    }

    /// Lets this pipeline's work be done, if this program has it.
    pub(super) fn employ(self: &Arc<Self>, pipeline: &str) {
        self.workers.employ(pipeline, Arc::clone(self).work(pipeline.to_string()));
    }

    /// Whether it was told to stop.
    pub(super) fn is_ending(&self) -> bool {
        self.with.stop.urgency() > Urgency::Go
    }

    /// A switch for one run: turned when the server's is, as long as the set lives. A run that halts
    /// turns only its own.
    pub(crate) fn stop_of_one(&self) -> (Stop, JoinSet<()>) {
        self.with.stop.follower()
    }
}

fn until(now: DateTime<Utc>, at: DateTime<Utc>) -> Duration {
    // A clock that stands a hair before the time must not spin.
    (at - now).to_std().unwrap_or_default().max(Duration::from_millis(20))
}
