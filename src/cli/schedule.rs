//! `schedule`: what runs by itself and when; pause and resume; what was decided and why.

use super::flags::Flags;
use super::next::{self, Meant, NextArgs};
use super::{home, order, out, run as run_verb};
use crate::Outcome;
use chrono::DateTime;
use clap::Subcommand;
use serde::Serialize;
use std::sync::Arc;
use tidemill_pipeline::clock::{Timing, Zone};
use tidemill_pipeline::ledger::{FiringRow, ScheduleRow};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::{Error, Mill, Result};

/// So many of the newest decisions are looked through for runs that failed.
const LOOKED_AT: u32 = 2000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the schedules with their next times
    #[command(after_help = "Example:  tidemill schedule ls")]
    Ls,
    /// Show the next times of a schedule, and what changes of the clock do to them
    #[command(after_help = next::HELP)]
    Next(NextArgs),
    /// Let the times of a schedule pass until it is resumed
    #[command(after_help = "Example:  tidemill schedule pause news")]
    Pause {
        /// Its pipeline
        pipeline: String,
    },
    /// End a pause; what passed meanwhile is not made up for
    #[command(after_help = "Example:  tidemill schedule resume news")]
    Resume {
        /// Its pipeline
        pipeline: String,
    },
    /// Show what was decided at each time, and why
    #[command(after_help = "Example:  tidemill schedule log news --count 30")]
    Log {
        /// The pipeline; all when left out
        pipeline: Option<String>,
        /// How many decisions, the newest
        #[arg(long, default_value_t = 20, value_name = "N")]
        count: u32,
    },
}

/// A schedule as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pipeline: String,
    schedule: String,
    zone: String,
    /// `code`, or `home` for a job that the home remembers.
    origin: String,
    next: Option<String>,
    fire_at: Option<String>,
    paused: bool,
    /// What went wrong, when its last run failed.
    failed: Option<String>,
    /// Whether the home knows it already; one of the code is known once `serve` has run.
    served: bool,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    match &args.verb {
        None | Some(Verb::Ls) => ls(flags, mill).await,
        Some(Verb::Next(args)) => next::show(flags, args, &meant(flags, args, mill).await?),
        Some(Verb::Pause { pipeline }) => pause(flags, mill, pipeline, true).await,
        Some(Verb::Resume { pipeline }) => pause(flags, mill, pipeline, false).await,
        Some(Verb::Log { pipeline, count }) => log(flags, mill, pipeline.clone(), *count).await,
    }
}

async fn ls(flags: &Flags, mill: Option<&Mill>) -> Result<Outcome> {
    let listed = match home::look(flags, mill) {
        Ok(home) => listed(&home, mill).await?,
        // What the code says can be said without a home.
        Err(error) if error.reason() == "home_missing" && mill.is_some() => of_code(mill, &[]),
        Err(error) => return Err(error),
    };
    lines(&listed).into_iter().for_each(|line| out::result(flags, line));
    if listed.is_empty() {
        out::line(flags, "nothing is scheduled here");
    }
    out::json(flags, &listed)?;
    Ok(Outcome::Done)
}

/// Schedules, a line each.
pub(super) fn lines(listed: &[Listed]) -> Vec<String> {
    let width = listed.iter().map(|row| row.pipeline.chars().count()).max().unwrap_or(0);
    let line = |row: &Listed| {
        let next = match (row.paused, &row.next) {
            (true, _) => "paused".to_string(),
            (_, Some(next)) => format!("next {next}"),
            (_, None) => String::new(),
        };
        let unknown = if row.served { "" } else { "  (begins with the first `serve`)" };
        let failed =
            row.failed.as_ref().map_or(String::new(), |why| format!("  last run failed: {why}"));
        format!("{:<width$}  {} {}  {next}{unknown}{failed}", row.pipeline, row.schedule, row.zone)
    };
    listed.iter().map(line).collect()
}

/// The schedules that the home knows, and those of the code that it does not know yet.
pub(super) async fn listed(home: &Arc<Home>, mill: Option<&Mill>) -> Result<Vec<Listed>> {
    let (rows, newest) = home
        .ledger()
        .read(|read| Ok((ScheduleRow::all(read)?, FiringRow::newest(read, None, LOOKED_AT)?)))
        .await?;
    let now = home.clock().now();
    let mut listed: Vec<Listed> = rows
        .iter()
        .map(|row| {
            let next = row.next(now);
            Listed {
                pipeline: row.pipeline.clone(),
                schedule: row.timing.schedule.text().to_string(),
                zone: row.timing.zone.name().to_string(),
                origin: row.origin.clone(),
                next: next.map(|firing| firing.scheduled_for.to_string()),
                fire_at: next.map(|firing| firing.fire_at.to_rfc3339()),
                paused: row.paused_at.is_some(),
                failed: last_failure(&newest, &row.pipeline),
                served: true,
            }
        })
        .collect();
    let known: Vec<&str> = rows.iter().map(|row| row.pipeline.as_str()).collect();
    listed.extend(of_code(mill, &known));
    Ok(listed)
}

/// Schedules of the code that the home does not know yet.
fn of_code(mill: Option<&Mill>, known: &[&str]) -> Vec<Listed> {
    let roster = run_verb::roster(mill);
    let unknown = roster.code().iter().filter(|planned| !known.contains(&planned.job.name()));
    unknown
        .filter_map(|planned| {
            let timing = planned.timing.as_ref()?;
            let next = planned.next(&tidemill_pipeline::clock::SystemClock);
            Some(Listed {
                pipeline: planned.job.name().to_string(),
                schedule: timing.schedule.text().to_string(),
                zone: timing.zone.name().to_string(),
                origin: "code".into(),
                next: next.map(|nominal| nominal.to_string()),
                fire_at: None,
                paused: false,
                failed: None,
                served: false,
            })
        })
        .collect()
}

/// The schedule whose times are asked for.
async fn meant(flags: &Flags, args: &NextArgs, mill: Option<&Mill>) -> Result<Meant> {
    if let Some(expression) = &args.cron {
        return Meant::cron(expression);
    }
    let mut known: Vec<(String, Meant)> = Vec::new();
    let home = match home::peek(flags, mill) {
        Ok(home) => Some(home),
        Err(error) if error.reason() == "home_missing" => None,
        Err(error) => return Err(error),
    };
    if let Some(home) = home {
        for row in home.ledger().read(ScheduleRow::all).await? {
            let anchor = DateTime::from_timestamp_millis(row.anchor);
            let Timing { schedule, zone, .. } = row.timing;
            known.push((row.pipeline, Meant { schedule, zone, anchor }));
        }
    }
    for planned in run_verb::roster(mill).code() {
        let (name, timing) = (planned.job.name(), planned.timing.clone());
        if let Some(Timing { schedule, zone, .. }) = timing
            && known.iter().all(|(other, _)| other != name)
        {
            known.push((name.to_string(), Meant { schedule, zone, anchor: None }));
        }
    }
    let names = known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match &args.pipeline {
        Some(wanted) => known.into_iter().find(|(name, _)| name == wanted),
        None if known.len() == 1 => known.pop(),
        None => None,
    };
    found.map(|(_, meant)| meant).ok_or_else(|| {
        let what = match &args.pipeline {
            Some(name) => format!("`{name}` has no schedule here"),
            None => "which schedule?".to_string(),
        };
        let help = match names.as_str() {
            "" => "nothing is scheduled here; --cron '30 2 * * *' asks about an expression"
                .to_string(),
            names => {
                format!("the schedules are: {names}; or --cron '30 2 * * *' for any expression")
            }
        };
        Error::halt(what).because("usage").help(help)
    })
}

async fn pause(
    flags: &Flags,
    mill: Option<&Mill>,
    pipeline: &str,
    paused: bool,
) -> Result<Outcome> {
    home::look(flags, mill)?; // a home that is not there is not made by pausing
    let pipeline = pipeline.to_string();
    let order = match paused {
        true => Order::Pause { pipeline: pipeline.clone() },
        false => Order::Resume { pipeline: pipeline.clone() },
    };
    let done = order::carry_out(flags, &home::place(flags, mill)?, order).await?;
    let words = match (paused, done["changed"] == true) {
        (true, true) => "is paused: its times pass without a run",
        (true, false) => "is paused already",
        (false, true) => "goes on; what passed meanwhile is not made up for",
        (false, false) => "is not paused",
    };
    out::line(flags, format!("{pipeline} {words}"));
    out::json(flags, &done)?;
    Ok(Outcome::Done)
}

async fn log(
    flags: &Flags,
    mill: Option<&Mill>,
    pipeline: Option<String>,
    count: u32,
) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    let wanted = pipeline.clone();
    let rows =
        home.ledger().read(move |read| FiringRow::newest(read, wanted.as_deref(), count)).await?;
    if let Some(name) = pipeline.filter(|_| rows.is_empty()) {
        check_listed(&listed(&home, mill).await?, &name)?;
    }
    for row in &rows {
        told(row, home.zone()).into_iter().for_each(|line| out::result(flags, line));
    }
    if rows.is_empty() {
        out::line(flags, "nothing was decided yet: no time of a schedule has come");
    }
    out::json(flags, &rows)?;
    Ok(Outcome::Done)
}

/// What came of the newest run of a pipeline that is over or has failed, unless all went well.
fn last_failure(newest: &[FiringRow], pipeline: &str) -> Option<String> {
    let last = newest.iter().find(|row| row.pipeline == pipeline && row.outcome.is_some())?;
    let outcome = last.outcome.as_deref().filter(|outcome| *outcome != "published")?;
    Some(out::short(outcome, 120))
}

/// Refuses a name that nothing is scheduled by.
fn check_listed(listed: &[Listed], name: &str) -> Result<()> {
    let known: Vec<&str> = listed.iter().map(|row| row.pipeline.as_str()).collect();
    if known.contains(&name) {
        return Ok(());
    }
    Err(Error::halt(format!("`{name}` has no schedule here"))
        .because("usage")
        .help(format!("the schedules are: {}", known.join(", "))))
}

/// A decision, and what came of it.
fn told(row: &FiringRow, zone: Zone) -> Vec<String> {
    let times = match row.times {
        Some(1) => String::new(),
        Some(n) => format!(" ({n} times up to this one)"),
        None => " (many times up to this one)".into(),
    };
    let mut lines = vec![format!(
        "{}  {}  {}: {}{times}",
        row.scheduled_for,
        row.pipeline,
        row.decision,
        out::plain(&row.reason)
    )];
    let outcome = row.outcome.as_deref().map(|text| out::short(text, 200));
    match (&row.run, outcome) {
        (Some(run), Some(outcome)) => lines.push(format!("    run {run}: {outcome}")),
        (Some(run), None) => lines.push(format!("    run {run}")),
        (None, Some(outcome)) => lines.push(format!("    {outcome}")),
        (None, None) => {}
    }
    if let Some(at) = row.next_try_at {
        lines.push(format!(
            "    tried {}; again at {}",
            out::count(row.tries.into(), "time"),
            out::moment(at, zone)
        ));
    }
    lines
}
