//! The mill as a program writes it down: a home, its pipelines, and when they run.

use crate::clock::{Clock, Schedule, Zone};
use crate::{Error, Job, Result};
use chrono::NaiveDateTime;
use std::path::{Path, PathBuf};

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
    /// Its schedule; without one it only runs by hand.
    pub schedule: Option<Schedule>,
}

impl Planned {
    /// The nominal local time of the next run.
    #[must_use]
    pub fn next(&self, clock: &dyn Clock, zone: Zone) -> Option<NaiveDateTime> {
        let schedule = self.schedule.as_ref()?;
        let now = clock.now();
        schedule.next(now, zone, now).map(|firing| firing.scheduled_for.local)
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
        self.planned.push(Planned { job: job.into(), schedule: None });
        self
    }

    /// Adds a pipeline that runs every day at a local time `HH:MM`.
    #[must_use]
    pub fn daily(mut self, at: &str, job: impl Into<Job>) -> Self {
        let job = job.into();
        match Schedule::daily(at) {
            Ok(schedule) => self.planned.push(Planned { job, schedule: Some(schedule) }),
            Err(error) => {
                let error = error.context(format!("pipeline {}", job.name()));
                self.mistake.get_or_insert(error);
                self.planned.push(Planned { job, schedule: None });
            }
        }
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
        Ok(())
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
