//! `replay`: let archived items go through their pipeline once more, or say what that would cost.

use super::flags::{Flags, RunFlags};
use super::progress::Bar;
use super::{drive, home, order, out, run};
use crate::Outcome;
use chrono::NaiveDate;
use clap::ValueEnum;
use std::path::Path;
use std::sync::Arc;
use tidemill_pipeline::ledger::PipelineRow;
use tidemill_pipeline::mill::{Home, Planned};
use tidemill_pipeline::replay::{Calls, Forecast, Kinds, Only, Selection, StepForecast};
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::serve::{Order, ReplayOrder, Roster, ServeOptions, Server};
use tidemill_pipeline::{Error, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline; may be left out when there is only one
    pipeline: Option<String>,
    /// The archived dataset to read: raw_scrapes, or one that the pipeline saves
    #[arg(long, value_name = "DATASET", required_unless_present = "give_up")]
    from: Option<String>,
    /// Filed under this date or a later one
    #[arg(long, value_name = "DATE", value_parser = date)]
    since: Option<NaiveDate>,
    /// Filed under this date or an earlier one
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<NaiveDate>,
    /// Of this archived run only
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// An SQL expression over key, dt, run and the dataset's columns
    #[arg(long = "where", value_name = "EXPR")]
    filter: Option<String>,
    /// Which of them, by what became of them before
    #[arg(long, value_enum, default_value = "missing")]
    only: Which,
    /// Begin with the newest; by default with the oldest
    #[arg(long)]
    newest_first: bool,
    /// Take so many at most; the same command takes the next ones when these are published
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Only say what would be done, why, and what it would cost
    #[arg(long)]
    dry_run: bool,
    /// Give up the unfinished replay of the pipeline; what models answered stays
    #[arg(long, conflicts_with_all = ["from", "dry_run"])]
    give_up: bool,
    #[command(flatten)]
    how: RunFlags,
}

/// Which archived items are meant.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// Those that never came through
    Missing,
    /// Those that are set aside now
    Parked,
    /// Those that were done by an older prompt, model or version, or from an older page
    Stale,
    /// All
    All,
}

fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "write it as YYYY-MM-DD".into())
}

impl Args {
    fn selection(&self) -> Selection {
        Selection {
            since: self.since,
            until: self.until,
            run: self.run.clone(),
            filter: self.filter.clone(),
            only: match self.only {
                Which::Missing => Only::Missing,
                Which::Parked => Only::Parked,
                Which::Stale => Only::Stale,
                Which::All => Only::All,
            },
            newest_first: self.newest_first,
            limit: self.limit,
            ..Selection::of(self.from.as_deref().unwrap_or_default())
        }
    }
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let selection = args.selection();
    selection.check()?;
    let roster = run::roster(mill);
    // A home that is not there is not made to find out that there is nothing to replay.
    let seen = home::renewed(flags, mill)?;
    let name = chosen(&seen, args.pipeline.as_deref(), &roster).await?;
    if args.give_up {
        drop(seen);
        return give_up(flags, &home::place(flags, mill)?, name).await;
    }
    if args.dry_run {
        return foresee(flags, &seen, &roster.find(&seen, &name).await?, selection).await;
    }
    drop(seen);
    let place = home::place(flags, mill)?;
    match home::own(flags, &place) {
        Ok(home) => here(flags, args, &home, roster, &name, selection).await,
        Err(locked) if locked.reason() == "home_locked" => {
            ask(flags, args, &place, name, selection, locked).await
        }
        Err(error) => Err(error),
    }
}

/// The pipeline that is meant: the one that is named, or the only one.
async fn chosen(home: &Home, named: Option<&str>, roster: &Roster) -> Result<String> {
    if let Some(name) = named {
        return Ok(name.to_string());
    }
    let mut names = roster.names(home).await?;
    if names.is_empty() {
        let rows = home.ledger().read(PipelineRow::all).await?;
        names = rows.into_iter().map(|row| row.name).collect();
    }
    match names.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::halt("no pipeline ran here yet")
            .because("no_pipeline")
            .help("there is something to replay once a run was archived")),
        names => Err(Error::halt("which pipeline?")
            .because("usage")
            .help(format!("name one of: {}", names.join(", ")))),
    }
}

async fn here(
    flags: &Flags,
    args: &Args,
    home: &Arc<Home>,
    roster: Roster,
    name: &str,
    selection: Selection,
) -> Result<Outcome> {
    let planned = roster.find(home, name).await?;
    run::where_am_i(flags, home, &planned.job, planned.archive.as_deref()).await?;
    let bar = Arc::new(Bar::new(flags, home));
    let (options, signals) = drive::options(flags, &bar)?;
    let archive = options.archive.clone().or_else(|| planned.archive.clone());
    let options = RunOptions { keep_going: args.how.keep_going, archive, ..options };
    // A replay may take days: meanwhile other programs may let a pipeline run, and it makes room.
    let serving = ServeOptions { stop: options.stop.clone(), ..ServeOptions::of(roster) };
    let server = Server::new(home, serving)?;
    let result = server.beside(home.replay(&planned.job, selection, options)).await;
    bar.end();
    signals.abort();
    let Some(report) = result? else { return nothing(flags) };
    let outcome = drive::tell(flags, home, &planned.job, &report, &args.how)?;
    if report.items.waiting > 0 {
        out::line(flags, "next    the same command takes what waits, and leaves what is done");
    }
    out::json(flags, &report)?;
    Ok(outcome)
}

/// Lets the program that serves this home do it.
async fn ask(
    flags: &Flags,
    args: &Args,
    place: &Path,
    pipeline: String,
    selection: Selection,
    locked: Error,
) -> Result<Outcome> {
    let archive = flags.archive.as_deref().map(std::path::absolute).transpose()?;
    let keep_going = args.how.keep_going;
    let order = Order::Replay(ReplayOrder { pipeline, selection, keep_going, archive });
    match order::ask(flags, place, &order, &locked).await? {
        Some(report) if report.is_null() => nothing(flags),
        Some(report) => run::answered(flags, &report, &args.how),
        None => Err(locked),
    }
}

async fn give_up(flags: &Flags, place: &Path, pipeline: String) -> Result<Outcome> {
    let order = Order::EndReplay { pipeline: pipeline.clone() };
    let done = order::carry_out(flags, place, order).await?;
    match done["run"].as_str() {
        Some(run) => out::line(flags, format!("given up: replay {run} of {pipeline}")),
        None => out::line(flags, format!("no replay of {pipeline} is unfinished")),
    }
    out::json(flags, &done)?;
    Ok(Outcome::Done)
}

fn nothing(flags: &Flags) -> Result<Outcome> {
    out::line(
        flags,
        "nothing to replay: --dry-run shows what there is, --only says which is meant",
    );
    out::json(flags, &serde_json::Value::Null)?;
    Ok(Outcome::Done)
}

async fn foresee(
    flags: &Flags,
    home: &Arc<Home>,
    planned: &Planned,
    selection: Selection,
) -> Result<Outcome> {
    let archive = flags.archive.as_deref().map(std::path::absolute).transpose()?;
    let archive = archive.or_else(|| planned.archive.clone());
    let options = RunOptions { archive, ..RunOptions::default() };
    let only = selection.only;
    let forecast = home.foresee(&planned.job, selection, options).await?;
    print(flags, home, only, &forecast);
    out::json(flags, &forecast)?;
    Ok(Outcome::Done)
}

fn print(flags: &Flags, home: &Home, only: Only, forecast: &Forecast) {
    let line = |text: String| out::result(flags, text);
    line(format!("home {} · archive {}", home.root().display(), forecast.archive.display()));
    line(format!("replay  {} from {} · nothing is changed now", forecast.pipeline, forecast.from));
    let dates = match (&forecast.first, &forecast.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    line(format!(
        "archive {}{dates} with {}",
        out::count(forecast.runs, "run"),
        out::count(forecast.versions, "version")
    ));
    if forecast.waiting > 0 {
        let runs = out::count(forecast.waiting, "run");
        line(format!(
            "        {runs} more on scratch: the replay archives and takes them, uncounted here"
        ));
    }
    line(format!("items   {}{}", kinds(&forecast.kinds), others(forecast)));
    line(format!("replays {}", meant(forecast, only)));
    if forecast.items == 0 {
        return;
    }
    forecast.steps.iter().flat_map(step).for_each(line);
    line(format!("calls   {}", calls(&forecast.calls)));
    if forecast.calls.most > 0 {
        let time = match forecast.millis {
            Some(millis) => {
                format!(" · {} one after another, by the last ones", out::span(millis as f64))
            }
            None => " · how long, nobody knows yet".into(),
        };
        line(format!("tokens  about {}{time}", out::thousands(forecast.tokens)));
    }
}

/// What became of the archived items before.
fn kinds(kinds: &Kinds) -> String {
    let Kinds { missing, parked, stale, fresh } = *kinds;
    let all = [(missing, "missing"), (parked, "parked"), (stale, "stale"), (fresh, "up to date")];
    let some = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    let some: Vec<_> = some.collect();
    if some.is_empty() { "none".into() } else { some.join(" · ") }
}

/// How many items would be worked on.
fn meant(forecast: &Forecast, only: Only) -> String {
    let what = match only {
        Only::All => "all of them".to_string(),
        only => format!("those that are {only}"),
    };
    match (forecast.items, forecast.through) {
        (0, 0) => match forecast.kinds.stale {
            n if n > 0 && matches!(only, Only::Missing | Only::Parked) => {
                format!("nothing: none is {only}; --only stale takes {n}")
            }
            _ => "nothing".into(),
        },
        (n, 0) => format!("{} ({what})", out::count(n, "item")),
        (n, through) => {
            format!(
                "{} ({what}); {through} are through in the unfinished replay",
                out::count(n, "item")
            )
        }
    }
}

/// What of the range is not worked on.
fn others(forecast: &Forecast) -> String {
    let parts = [
        (forecast.superseded, "with a newer version"),
        (forecast.filtered, "not meant by --where"),
        (forecast.over, "over the limit"),
    ];
    let said = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(" · {n} {what}"));
    said.collect()
}

/// A step that would run, and why.
fn step(step: &StepForecast) -> Vec<String> {
    let mut lines = vec![format!("  {:>2}  {:<8}{:<20}", step.place + 1, step.verb, step.step)];
    if let Some(first) = lines.first_mut() {
        if step.calls != Calls::default() {
            first.push_str(&calls(&step.calls));
        }
        if step.remembered > 0 {
            first.push_str(&format!(" · {} remembered", out::count(step.remembered, "answer")));
        }
        *first = first.trim_end().to_string();
    }
    let whys = step.why.iter();
    lines.extend(whys.map(|why| {
        format!("              because {} ({})", why.why, out::count(why.items, "item"))
    }));
    lines
}

fn calls(calls: &Calls) -> String {
    let Calls { least, most, unknown } = *calls;
    let known = match least == most {
        true if most == 0 && unknown == 0 => "none".into(),
        true => out::count(most, "call"),
        false => format!("{least} to {}", out::count(most, "call")),
    };
    match unknown {
        0 => known,
        n => format!("{known}, and those of {} that never had one", out::count(n, "item")),
    }
}
