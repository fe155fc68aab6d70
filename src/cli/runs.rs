//! `runs`: what ran, how it went, and what was logged.

use super::flags::Flags;
use super::shown::{self, Told};
use super::{home, out};
use crate::Outcome;
use clap::Subcommand;
use serde_json::{Map, Value};
use std::sync::Arc;
use tidemill_pipeline::clock::Zone;
use tidemill_pipeline::ledger::{OffloadRow, RunRow};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::{Error, Mill, Result};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List runs, newest first
    #[command(after_help = "Example:  tidemill runs ls news --count 5")]
    Ls(Which),
    /// Show a run: each step's times, reasons, calls, files
    #[command(after_help = "Example:  tidemill runs show 20261120T020000Z-7f3a9c")]
    Show {
        /// The run's id
        run: String,
    },
    /// Print what a run logged
    #[command(
        after_help = "The logs of the 30 newest runs are kept, in HOME/logs; the archive has them in `logs`,\n\
                            as far as the publish.\n\n\
                            Example:  tidemill runs logs 20261120T020000Z-7f3a9c"
    )]
    Logs {
        /// The run's id
        run: String,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Which {
    /// The pipeline; all when left out
    pipeline: Option<String>,
    /// How many runs to list
    #[arg(long, default_value_t = 20, value_name = "N")]
    count: u32,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    match &args.verb {
        None => list(flags, &args.which, mill).await,
        Some(Verb::Ls(which)) => list(flags, which, mill).await,
        Some(Verb::Show { run }) => show(flags, run, mill).await,
        Some(Verb::Logs { run }) => logs(flags, run, mill).await,
    }
}

async fn list(flags: &Flags, which: &Which, mill: Option<&Mill>) -> Result<Outcome> {
    home::known(flags, mill, which.pipeline.as_deref()).await?;
    let home = home::look(flags, mill)?;
    let runs = shown::newest(&home, which.pipeline.as_deref(), which.count).await?;
    if runs.is_empty() {
        out::line(flags, "nothing ran here yet");
    }
    shown::list(&runs, home.clock().now()).into_iter().for_each(|run| out::result(flags, run));
    out::json(flags, &runs)?;
    Ok(Outcome::Done)
}

async fn find(home: &Arc<Home>, id: &str) -> Result<RunRow> {
    let wanted = id.to_string();
    if let Some(mut run) = home.ledger().read(move |read| RunRow::by_id(read, &wanted)).await? {
        shown::look_alive(&mut run, home.clock().now());
        return Ok(run);
    }
    let newest = shown::newest(home, None, 3).await?;
    let ids: Vec<_> = newest.iter().map(|run| run.id.as_str()).collect();
    let help = match ids.as_slice() {
        [] => "nothing ran here yet".to_string(),
        ids => format!("`runs` lists them; the newest are {}", ids.join(", ")),
    };
    Err(Error::halt(format!("there is no run {id}")).because("usage").help(help))
}

async fn show(flags: &Flags, id: &str, mill: Option<&Mill>) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    let run = find(&home, id).await?;
    let wanted = run.id.clone();
    let files = home.ledger().read(move |read| OffloadRow::of_run(read, &wanted)).await?;
    print(flags, &home, &run, &files);
    let mut report = serde_json::to_value(&run)?;
    report["files"] = serde_json::to_value(&files)?;
    out::json(flags, &report)?;
    Ok(Outcome::Done)
}

fn print(flags: &Flags, home: &Home, run: &RunRow, files: &[OffloadRow]) {
    let told = Told::by(run);
    let line = |text: String| out::result(flags, text);
    let attempt =
        if run.attempt > 1 { format!(" · attempt {}", run.attempt) } else { String::new() };
    let state = shown::state(run.state);
    line(format!("run     {} · {} · {state}{attempt}", run.id, run.pipeline));
    if let Some(replay) = &run.replay {
        line(format!("replay  {replay}"));
    }
    let took = out::span(shown::took(run, &told, home.clock().now()) as f64);
    let begun = out::moment(run.started_at, home.zone());
    line(format!("begun   {begun}, took {took}, filed under dt={}", run.dt));
    let carried = match told.carried {
        0 => String::new(),
        n => format!(" ({n} had waited since earlier runs)"),
    };
    line(format!("items   {}{carried}", shown::counts(&told.items)));
    shown::reasons(&told).into_iter().for_each(|reason| line(format!("        {reason}")));
    if told.repeated_keys > 0 {
        line(format!("        {} came more than once", out::count(told.repeated_keys, "key")));
    }
    if let Some(made) = told.calls_made {
        let remembered = told.calls_remembered;
        line(format!(
            "models  {} made · {remembered} answered from memory",
            out::count(made, "call")
        ));
        line(format!("tables  {} changed", out::count(run.changed_rows, "row")));
    }
    if told.steps.iter().any(|step| step.items > 0) {
        shown::table(&told.steps).into_iter().for_each(|row| line(format!("        {row}")));
    }
    shown::slowest(&told.steps).into_iter().for_each(|said| line(format!("        {said}")));
    for file in shown::files(home.root(), files) {
        line(format!("files   {file}"));
    }
    if let Some(halted) = &told.halted {
        line(out::named("halted", halted));
    }
    for said in &told.said {
        line(out::named("said", said));
    }
}

async fn logs(flags: &Flags, id: &str, mill: Option<&Mill>) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    let run = find(&home, id).await?;
    let Ok(text) = std::fs::read_to_string(home.log(&run.id)) else {
        return Err(Error::halt(format!("there is no log of run {}", run.id))
            .because("no_log")
            .help("the logs of the 30 newest runs are kept, in the home's folder `logs`; older ones are in the archive, in its folder `logs`"));
    };
    let events: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for event in &events {
        out::result(flags, logged(event, home.zone()));
    }
    out::json(flags, &events)?;
    Ok(Outcome::Done)
}

/// A line of the log for people: local time, level when it is not *info*, message, fields.
fn logged(event: &Value, zone: Zone) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let time = chrono::DateTime::parse_from_rfc3339(text("timestamp")).unwrap_or_default();
    let time = zone.local(time.to_utc()).format("%Y-%m-%d %H:%M:%S");
    let level = match text("level") {
        "INFO" => String::new(),
        level => format!("{level} "),
    };
    let known = ["timestamp", "level", "message", "target"];
    let empty = Map::new();
    let fields = event.as_object().unwrap_or(&empty).iter();
    let fields: String = fields
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("  {name}={text}"),
            None => format!("  {name}={value}"),
        })
        .collect();
    out::plain(&format!("{time}  {level}{}{fields}", text("message")))
}
