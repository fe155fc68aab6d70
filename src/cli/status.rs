//! `status`: what is at work, the last runs, what waits, what it cost and what it takes up.

use super::flags::Flags;
use super::schedule::{self, Listed};
use super::shown::{self, Told};
use super::{home, out, progress};
use crate::Outcome;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tidemill_pipeline::ledger::{self, OffloadRow, PipelineStatus, Read, RunRow, RunState};
use tidemill_pipeline::mill::{Home, Owner};
use tidemill_pipeline::{Mill, Result};

/// A log of the ledger that is longer cannot be checkpointed: somebody reads.
const PINNED: u64 = 256 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many runs to show
    #[arg(long, default_value_t = 5, value_name = "N")]
    runs: u32,
}

#[derive(Debug, Serialize)]
struct Status {
    home: String,
    mill: String,
    ledger_bytes: u64,
    wal_bytes: u64,
    scratch_bytes: u64,
    archived_bytes: u64,
    /// The process that serves this home.
    server: Option<Owner>,
    schedules: Vec<Listed>,
    pipelines: Vec<PipelineStatus>,
    /// Runs that are at work now.
    at_work: Vec<RunRow>,
    runs: Vec<RunRow>,
    models: Models,
    /// Files that wait on scratch for an archive.
    offload: Vec<OffloadRow>,
    /// What other programs asked for and nobody has done yet.
    requests: Vec<Request>,
}

/// What the answers of models cost.
#[derive(Debug, Serialize)]
struct Models {
    /// Calls that the runs shown here made.
    made: u64,
    /// Calls that they did not make, because the answer was there.
    remembered: u64,
    /// Answers that are kept.
    kept: u64,
    /// How long it took to get these, in seconds; waiting for a turn counts too.
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Request {
    verb: String,
    /// Milliseconds since 1970.
    made_at: i64,
    taken: bool,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    let mut runs = shown::newest(&home, None, args.runs.max(20)).await?;
    let at_work: Vec<RunRow> =
        runs.iter().filter(|run| run.state == RunState::Running).cloned().collect();
    runs.truncate(args.runs as usize);
    let (pipelines, offload, requests, (kept, seconds), server) = home
        .ledger()
        .read(move |read| {
            Ok((
                PipelineStatus::all(read)?,
                OffloadRow::under_way(read, None)?,
                open_requests(read)?,
                answers(read)?,
                ledger::server(read)?,
            ))
        })
        .await?;
    let told: Vec<Told> = runs.iter().map(Told::by).collect();
    let models = Models {
        made: told.iter().filter_map(|told| told.calls_made).sum(),
        remembered: told.iter().map(|told| told.calls_remembered).sum(),
        kept,
        seconds,
    };
    let status = Status {
        home: home.root().display().to_string(),
        mill: home.mill().to_string(),
        ledger_bytes: size(home.ledger().path()),
        wal_bytes: home.ledger().log().map_or(0, |(bytes, _)| bytes),
        scratch_bytes: size(&home.scratch().root),
        archived_bytes: pipelines.iter().map(|pipeline| pipeline.archived_bytes).sum(),
        server,
        schedules: schedule::listed(&home, mill).await?,
        pipelines,
        at_work,
        runs,
        models,
        offload,
        requests,
    };
    print(flags, &home, &status);
    out::json(flags, &status)?;
    Ok(Outcome::Done)
}

fn open_requests(read: &Read<'_>) -> Result<Vec<Request>> {
    let sql = "SELECT verb, made_at, taken_at IS NOT NULL FROM tm_requests
                WHERE done_at IS NULL ORDER BY request_no";
    read.all(sql, [], |row| {
        Ok(Request { verb: row.get(0)?, made_at: row.get(1)?, taken: row.get(2)? })
    })
}

/// How many answers are kept, and how many seconds it took to get them.
fn answers(read: &Read<'_>) -> Result<(u64, f64)> {
    let sql = "SELECT count(*), coalesce(sum(ms), 0) / 1000.0 FROM tm_calls";
    Ok(read.one(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default())
}

/// The bytes of a file, or of all files below a folder; what goes away meanwhile counts nothing.
fn size(path: &Path) -> u64 {
    let Ok(meta) = path.symlink_metadata() else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.filter_map(std::io::Result::ok).map(|entry| size(&entry.path())).sum()
}

fn print(flags: &Flags, home: &Home, status: &Status) {
    let line = |text: String| out::result(flags, text);
    line(format!(
        "ledger {} + WAL {} · scratch {} · archived {}",
        out::bytes(status.ledger_bytes),
        out::bytes(status.wal_bytes),
        out::bytes(status.scratch_bytes),
        out::bytes(status.archived_bytes)
    ));
    if status.wal_bytes > PINNED {
        line(format!(
            "  the WAL is pinned: a program reads {} all the time",
            home.ledger().path().display()
        ));
        line(
            "  → close its connection or end its query; the next run makes the WAL small again"
                .into(),
        );
    }
    match &status.server {
        Some(owner) => line(format!("served by process {}", owner.pid)),
        None if status.schedules.is_empty() => {}
        None => line("nobody serves this home: nothing runs by itself until `serve` does".into()),
    }
    pipelines(status).into_iter().for_each(line);
    schedule::lines(&status.schedules).into_iter().for_each(line);
    for run in &status.at_work {
        at_work(home, run).into_iter().for_each(line);
    }
    let models = &status.models;
    if models.kept > 0 {
        let waited = out::span(models.seconds * 1000.0);
        line(format!("models: {} kept, {waited} of waiting", out::count(models.kept, "answer")));
        let (made, remembered) = (out::count(models.made, "call"), models.remembered);
        line(format!("        in the runs below {made} made, {remembered} answered from memory"));
    }
    for request in &status.requests {
        let how = if request.taken { "is being done" } else { "waits for the owner of the home" };
        let since = out::moment(request.made_at, home.zone());
        line(format!("request {} of {since} {how}", request.verb.replace('_', " ")));
    }
    if !status.runs.is_empty() {
        line("runs".into());
    }
    let runs = shown::list(&status.runs, home.clock().now());
    runs.into_iter().for_each(|run| line(format!("  {run}")));
    for row in &status.offload {
        let why = row.note.as_deref().map_or(String::new(), |why| format!(": {}", out::plain(why)));
        line(format!("waits on scratch: {} of run {}{why}", row.dataset, row.run));
    }
}

fn pipelines(status: &Status) -> Vec<String> {
    let line = |p: &PipelineStatus| {
        format!(
            "{}: {} known · {} stale · {} waiting · {} parked · {} archived",
            p.pipeline,
            p.known,
            p.stale,
            p.waiting,
            p.parked,
            out::bytes(p.archived_bytes)
        )
    };
    status.pipelines.iter().map(line).collect()
}

/// A run that is at work: how far it is, its steps, and how long it will take.
fn at_work(home: &Home, run: &RunRow) -> Vec<String> {
    let told = Told::by(run);
    let so_far = shown::took(run, &told, home.clock().now());
    let aside = match told.items.parked + told.items.waiting {
        0 => String::new(),
        n => format!(", {n} set aside"),
    };
    let so_far_words = out::span(so_far as f64);
    let mut lines = vec![
        format!("at work: {} {}, for {so_far_words}", run.id, run.pipeline),
        format!("  {} of {} through{aside}", told.settled(), out::count(told.recorded, "item")),
    ];
    lines.extend(shown::table(&told.steps).into_iter().map(|row| format!("  {row}")));
    // When this attempt began is not known of a run that went on: no guess is made then.
    let known = run.source_done && run.attempt <= 1;
    let left = progress::left(told.recorded, told.settled(), Duration::from_millis(so_far));
    if let Some(left) = left.filter(|_| known) {
        lines.push(format!("  about {left} left"));
    }
    lines
}
