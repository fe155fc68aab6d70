//! The mill as a program writes it down: a home, its pipelines, and when they run.

use crate::clock::{CatchUp, Clock, Nominal, Overlap, Policy, Schedule, Timing, Zone};
use crate::{Error, Job, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A mill: a home folder and the pipelines that run in it.
///
/// ```
/// use tidemill_pipeline::testing::Lines;
/// use tidemill_pipeline::{Mill, Pipeline};
///
/// let words = Pipeline::named("words").read(Lines::of(["ebb", "flow"]));
/// let mill = Mill::at("mill").daily("06:00", words);
/// assert_eq!(mill.planned().len(), 1);
/// ```
#[derive(Debug)]
pub struct Mill {
    at: PathBuf,
    planned: Vec<Planned>,
    /// The first mistake in a schedule, told when the mill is used.
    mistake: Option<Error>,
}

/// A job and when it runs.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The job.
    pub job: Job,
    /// When it runs by itself; without one it only runs by hand.
    pub timing: Option<Timing>,
    /// An archive that takes precedence over the one in the job.
    pub archive: Option<PathBuf>,
}

impl Planned {
    /// A job that runs by hand only.
    #[must_use]
    pub fn by_hand(job: impl Into<Job>) -> Self {
        Self { job: job.into(), timing: None, archive: None }
    }

    /// The nominal local time of the next run.
    #[must_use]
    pub fn next(&self, clock: &dyn Clock) -> Option<Nominal> {
        let timing = self.timing.as_ref()?;
        let now = clock.now();
        timing.schedule.next(now, timing.zone, now).map(|firing| firing.scheduled_for)
    }
}

impl Mill {
    /// A mill in this folder; `--home DIR` and `TIDEMILL_HOME` take precedence.
    #[must_use]
    pub fn at(home: impl AsRef<Path>) -> Self {
        Self { at: home.as_ref().to_path_buf(), planned: Vec::new(), mistake: None }
    }

    /// Adds a pipeline that runs by hand only.
    #[must_use]
    pub fn job(mut self, job: impl Into<Job>) -> Self {
        self.planned.push(Planned::by_hand(job));
        self
    }

    /// Adds a pipeline that runs every day at a local time `HH:MM`.
    #[must_use]
    pub fn daily(self, at: &str, job: impl Into<Job>) -> Self {
        self.scheduled(Schedule::daily(at), job)
    }

    /// Adds a pipeline that runs every week, for instance at `mon 06:00`.
    #[must_use]
    pub fn weekly(self, at: &str, job: impl Into<Job>) -> Self {
        self.scheduled(Schedule::weekly(at), job)
    }

    /// Adds a pipeline that runs every so often, for instance every `6h` or `15m`, counted from when
    /// `serve` met it first.
    #[must_use]
    pub fn every(self, span: &str, job: impl Into<Job>) -> Self {
        self.scheduled(Schedule::every(span), job)
    }

    /// Adds a pipeline that runs by a cron expression of five or six fields, for instance
    /// `30 2 * * mon-fri`, or a macro such as `@hourly` or `@startup`; see [`Schedule::cron`].
    #[must_use]
    pub fn cron(self, expression: &str, job: impl Into<Job>) -> Self {
        self.scheduled(Schedule::cron(expression), job)
    }

    /// Adds a pipeline that runs whenever a run of another one is published.
    #[must_use]
    pub fn after(self, pipeline: &str, job: impl Into<Job>) -> Self {
        self.scheduled(Ok(Schedule::after(pipeline)), job)
    }

    /// The zone in which the times of the pipeline before are meant, instead of the system's: an
    /// IANA name such as `Europe/Amsterdam`.
    #[must_use]
    pub fn zone(self, name: &str) -> Self {
        match Zone::parse(name) {
            Ok(zone) => self.of_the_last("zone", |timing| timing.zone = zone),
            Err(error) => self.wrong(error),
        }
    }

    /// What becomes of times that the pipeline before missed.
    #[must_use]
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        self.of_the_last("catch_up", |timing| timing.policy.catch_up = catch_up)
    }

    /// What becomes of times that come while a run of the pipeline before is at work.
    #[must_use]
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.of_the_last("overlap", |timing| timing.policy.overlap = overlap)
    }

    /// Lets the pipeline before begin up to this much later, always the same for the same name, so
    /// that several do not begin together.
    #[must_use]
    pub fn jitter(self, most: Duration) -> Self {
        self.of_the_last("jitter", |timing| timing.policy.jitter = most)
    }

    /// Stops a scheduled run of the pipeline before when it takes longer; the next one goes on with
    /// it.
    #[must_use]
    pub fn timeout(self, most: Duration) -> Self {
        self.of_the_last("timeout", |timing| timing.policy.timeout = Some(most))
    }

    /// How often a run of the pipeline before that failed is tried again: twice unless told
    /// otherwise.
    #[must_use]
    pub fn retries(self, times: u32) -> Self {
        self.of_the_last("retries", |timing| timing.policy.retries = times)
    }

    fn scheduled(mut self, schedule: Result<Schedule>, job: impl Into<Job>) -> Self {
        let job = job.into();
        let mut planned = Planned::by_hand(job);
        match schedule {
            Ok(schedule) => {
                let (zone, policy) = (Zone::of_system(), Policy::default());
                planned.timing = Some(Timing { schedule, zone, policy });
                self.planned.push(planned);
                self
            }
            Err(error) => {
                let error = error.context(format!("pipeline {}", planned.job.name()));
                self.planned.push(planned);
                self.wrong(error)
            }
        }
    }

    /// Turns something on the pipeline that was added last.
    fn of_the_last(mut self, knob: &str, turn: impl FnOnce(&mut Timing)) -> Self {
        if let Some(timing) = self.planned.last_mut().and_then(|last| last.timing.as_mut()) {
            turn(timing);
            return self;
        }
        let error = Error::halt(format!(
            "`.{knob}(..)` speaks of the schedule before it, and there is none"
        ))
        .because("bad_schedule")
        .help(format!("write it behind a schedule: .daily(\"06:00\", news).{knob}(..)"));
        self.wrong(error)
    }

    fn wrong(mut self, error: Error) -> Self {
        self.mistake.get_or_insert(error);
        self
    }

    /// The folder that the code names.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.at
    }

    /// The jobs with their schedules.
    #[must_use]
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// Says the first mistake in how the mill is written down.
    ///
    /// # Errors
    /// A schedule that is none, a name that cannot be a folder, two pipelines of the same name.
    pub fn check(&self) -> Result<()> {
        if let Some(mistake) = &self.mistake {
            return Err(mistake.told_again());
        }
        for (n, planned) in self.planned.iter().enumerate() {
            let name = planned.job.name();
            crate::build::check_name(name)?;
            if self.planned.iter().skip(n + 1).any(|other| other.job.name() == name) {
                return Err(Error::halt(format!("two pipelines are named `{name}`"))
                    .because("bad_name")
                    .help("give each pipeline of a mill a name of its own"));
            }
        }
        self.planned.iter().try_for_each(|planned| self.check_after(planned))
    }

    /// Refuses a pipeline that comes after one that is not there, or, by a round about way, after
    /// itself.
    fn check_after(&self, planned: &Planned) -> Result<()> {
        let name = planned.job.name();
        let mut at = planned;
        for _ in 0..=self.planned.len() {
            let upstream = at.timing.as_ref().and_then(|timing| timing.schedule.upstream());
            let Some(upstream) = upstream else { return Ok(()) };
            let Some(next) = self.planned.iter().find(|next| next.job.name() == upstream) else {
                return Err(Error::halt(format!(
                    "{name} comes after `{upstream}`, which is no pipeline of this mill"
                ))
                .because("bad_schedule")
                .help("name one that is: .after(\"news\", letter)"));
            };
            at = next;
        }
        Err(Error::halt(format!("{name} and others come after each other, so none comes first"))
            .because("bad_schedule")
            .help("let one of them have a time: .daily(\"06:00\", news)"))
    }

    /// The pipeline of this name, or the only one when no name is given.
    ///
    /// # Errors
    /// When there is none of that name, or several and no name; the message lists them.
    pub fn find(&self, name: Option<&str>) -> Result<&Planned> {
        let names = || self.planned.iter().map(|p| p.job.name()).collect::<Vec<_>>().join(", ");
        match (name, self.planned.as_slice()) {
            (_, []) => Err(Error::halt("this mill has no pipeline").because("no_pipeline")),
            (None, [only]) => Ok(only),
            (None, _) => Err(Error::halt("which pipeline?")
                .because("usage")
                .help(format!("name one of: {}", names()))),
            (Some(name), all) => all.iter().find(|p| p.job.name() == name).ok_or_else(|| {
                Error::halt(format!("there is no pipeline `{name}`"))
                    .because("usage")
                    .help(format!("the pipelines are: {}", names()))
            }),
        }
    }
}
