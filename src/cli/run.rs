//! `run`: run a pipeline now, or go on with its unfinished run; by ourselves, or by the program that
//! serves this home.

use super::flags::{Flags, RunFlags};
use super::{drive, home, order, out};
use crate::{Outcome, digest};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tidemill_pipeline::mill::{Home, Planned};
use tidemill_pipeline::run::open_gate;
use tidemill_pipeline::serve::{Order, Roster, RunOrder};
use tidemill_pipeline::{Error, Job, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline; may be left out when there is only one
    pipeline: Option<String>,
    /// A day (2026-11-18) or a time (2026-11-18T06:00) that was missed: the run is filed under it
    #[arg(long, value_name = "DATE")]
    at: Option<String>,
    #[command(flatten)]
    how: RunFlags,
}

/// The jobs of a program, and those that the home remembers.
pub(super) fn roster(mill: Option<&Mill>) -> Roster {
    Roster::new(mill.map(Mill::planned).unwrap_or_default(), Some(Arc::new(digest::make)))
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let (place, roster) = (home::place(flags, mill)?, roster(mill));
    let name = chosen(flags, args, mill, &roster).await?;
    match home::own(flags, &place) {
        Ok(home) => {
            let planned = roster.find(&home, &name).await?;
            run_here(flags, args, &home, &planned).await
        }
        Err(locked) if locked.reason() == "home_locked" => {
            ask(flags, args, &place, name, locked).await
        }
        Err(error) => Err(error),
    }
}

/// The pipeline that is meant: the one that is named, or the only one.
async fn chosen(
    flags: &Flags,
    args: &Args,
    mill: Option<&Mill>,
    roster: &Roster,
) -> Result<String> {
    if let Some(mill) = mill
        && (args.pipeline.is_none() || mill.find(args.pipeline.as_deref()).is_ok())
    {
        return Ok(mill.find(args.pipeline.as_deref())?.job.name().to_string());
    }
    // A home that is not there remembers nothing, and is not made to find that out.
    let names = match home::renewed(flags, mill) {
        Ok(home) => roster.names(&home).await?,
        Err(error) if error.reason() == "home_missing" => vec![],
        Err(error) => return Err(error),
    };
    match (&args.pipeline, names.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (Some(name), names) if names.contains(name) => Ok(name.clone()),
        (_, []) => Err(Error::halt("this program has no pipelines of its own")
            .because("no_pipeline")
            .help("`tidemill digest URL` runs a ready-made one; `tidemill new DIR` makes a project for yours")),
        (None, names) => Err(Error::halt("which pipeline?")
            .because("usage")
            .help(format!("name one of: {}", names.join(", ")))),
        (Some(name), names) => Err(Error::halt(format!("there is no pipeline `{name}`"))
            .because("usage")
            .help(format!("the pipelines are: {}", names.join(", ")))),
    }
}

async fn run_here(
    flags: &Flags,
    args: &Args,
    home: &Arc<Home>,
    planned: &Planned,
) -> Result<Outcome> {
    where_am_i(flags, home, &planned.job, planned.archive.as_deref()).await?;
    let (outcome, report) =
        drive::drive(flags, home, planned, args.at.as_deref(), &args.how).await?;
    out::json(flags, &report)?;
    Ok(outcome)
}

/// Lets the program that serves this home do it.
async fn ask(
    flags: &Flags,
    args: &Args,
    place: &Path,
    pipeline: String,
    locked: Error,
) -> Result<Outcome> {
    let archive = flags.archive.as_deref().map(std::path::absolute).transpose()?;
    let keep_going = args.how.keep_going;
    let order = Order::Run(RunOrder { pipeline, at: args.at.clone(), keep_going, archive });
    match order::ask(flags, place, &order, &locked).await? {
        Some(report) => answered(flags, &report, &args.how),
        None => Err(locked),
    }
}

/// Says what the owner's run came to.
pub(super) fn answered(flags: &Flags, report: &Value, how: &RunFlags) -> Result<Outcome> {
    let items = |name: &str| report["items"][name].as_u64().unwrap_or(0);
    let waits = report["offload"]["state"] == "waiting";
    out::line(
        flags,
        format!(
            "run {}: {} done, {} unchanged, {} waiting, {} set aside; `runs show` tells more",
            report["run"].as_str().unwrap_or_default(),
            items("done"),
            items("unchanged"),
            items("waiting"),
            items("parked")
        ),
    );
    if let (true, Some(note)) = (waits, report["offload"]["note"].as_str()) {
        out::wrong(format!("warning: the files wait on scratch: {note}"));
    }
    out::json(flags, report)?;
    let aside = items("parked") > 0 || (how.strict_archive && waits);
    Ok(if aside { Outcome::Parked } else { Outcome::Done })
}

/// The first line of a run: home and archive.
pub(super) async fn where_am_i(
    flags: &Flags,
    home: &Arc<Home>,
    job: &Job,
    remembered: Option<&Path>,
) -> Result<()> {
    let mut line = format!("home {}", home.root().display());
    if let Some(archive) = job.archive() {
        let place = flags.archive.as_deref().map(std::path::absolute).transpose()?;
        let gate = open_gate(home, archive, place.as_deref().or(remembered)).await?;
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
