//! The flags that say when a job runs by itself.

use clap::Args;
use std::time::Duration;
use tidemill_pipeline::Result;
use tidemill_pipeline::clock::{CatchUp, Overlap, Policy, Schedule, Timing, Zone};

/// Under this heading they stand in the help.
const BY_ITSELF: &str = "To let `serve` run it";

/// A schedule, and what becomes of times that cannot be kept.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct When {
    /// Remember the job in the home, to be run every day at this local time
    #[arg(long, help_heading = BY_ITSELF, value_name = "HH:MM", group = "schedule")]
    daily: Option<String>,
    /// … every week, for instance at "mon 06:00"
    #[arg(long, help_heading = BY_ITSELF, value_name = "DAY HH:MM", group = "schedule")]
    weekly: Option<String>,
    /// … every so often: 15m, 6h, 1d
    #[arg(long, help_heading = BY_ITSELF, value_name = "SPAN", group = "schedule")]
    every: Option<String>,
    /// … by a cron expression, for instance "30 6 * * mon-fri"
    #[arg(long, help_heading = BY_ITSELF, value_name = "EXPR", group = "schedule")]
    cron: Option<String>,
    /// The zone that these times are meant in [default: the system's]
    #[arg(long, help_heading = BY_ITSELF, value_name = "ZONE", requires = "schedule")]
    zone: Option<String>,
    /// For times that were missed: one run for the last of them, none, or one for each
    #[arg(long, help_heading = BY_ITSELF, value_name = "HOW", requires = "schedule", value_enum)]
    catch_up: Option<Missed>,
    /// For times that come while a run is at work: skip them, or let one wait, or let all wait
    #[arg(long, help_heading = BY_ITSELF, value_name = "HOW", requires = "schedule", value_enum)]
    overlap: Option<Busy>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Missed {
    Last,
    None,
    All,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Busy {
    Skip,
    Queue,
    Allow,
}

impl When {
    /// The timing, when one was given.
    pub(super) fn timing(&self) -> Result<Option<Timing>> {
        let schedule = match (&self.daily, &self.weekly, &self.every, &self.cron) {
            (Some(at), ..) => Schedule::daily(at)?,
            (_, Some(at), ..) => Schedule::weekly(at)?,
            (_, _, Some(span), _) => Schedule::every(span)?,
            (_, _, _, Some(expression)) => Schedule::cron(expression)?,
            _ => return Ok(None),
        };
        let zone = self.zone.as_deref().map_or_else(|| Ok(Zone::of_system()), Zone::parse)?;
        let policy = Policy {
            catch_up: self.catch_up.map_or_else(CatchUp::default, Missed::policy),
            overlap: self.overlap.map_or_else(Overlap::default, Busy::policy),
            ..Policy::default()
        };
        Ok(Some(Timing { schedule, zone, policy }))
    }
}

impl Missed {
    fn policy(self) -> CatchUp {
        match self {
            Missed::Last => CatchUp::Last,
            Missed::None => CatchUp::None,
            Missed::All => CatchUp::All { max: 7, window: Duration::from_secs(7 * 86_400) },
        }
    }
}

impl Busy {
    fn policy(self) -> Overlap {
        match self {
            Busy::Skip => Overlap::Skip,
            Busy::Queue => Overlap::Queue,
            Busy::Allow => Overlap::Allow,
        }
    }
}
