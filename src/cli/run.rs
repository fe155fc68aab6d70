//! `run`: run a pipeline now, or go on with its unfinished run.

use super::flags::{Flags, RunFlags};
use super::{drive, home, out};
use crate::Outcome;
use std::sync::Arc;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::open_gate;
use tidemill_pipeline::{Error, Job, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline; may be left out when there is only one
    pipeline: Option<String>,
    #[command(flatten)]
    how: RunFlags,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let Some(code) = mill else {
        return Err(Error::halt("this program has no pipelines of its own")
            .because("no_pipeline")
            .help("`tidemill digest URL` runs a ready-made one; `tidemill new DIR` makes a project for yours"));
    };
    let job = &code.find(args.pipeline.as_deref())?.job;
    let home = home::own(flags, &home::place(flags, mill)?)?;
    where_am_i(flags, &home, job).await?;
    let (outcome, report) = drive::drive(flags, &home, job, &args.how).await?;
    out::json(flags, &report)?;
    Ok(outcome)
}

/// The first line of a run: home and archive.
pub(super) async fn where_am_i(flags: &Flags, home: &Arc<Home>, job: &Job) -> Result<()> {
    let mut line = format!("home {}", home.root().display());
    if let Some(archive) = job.archive() {
        let place = flags.archive.as_deref().map(std::path::absolute).transpose()?;
        let gate = open_gate(home, archive, place.as_deref()).await?;
        line.push_str(&format!(" · archive {}", gate.root.display()));
        if gate.same_disk {
            line.push_str(" (same disk: not a backup)");
        }
        if let Some(why) = gate.away {
            line.push_str(&format!(" (away: {why})"));
        }
    }
    out::line(flags, line);
    Ok(())
}
