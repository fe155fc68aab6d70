//! `status`: the last runs, what waits, what was set aside, and where the files are.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use serde::Serialize;
use tidemill_pipeline::ledger::{OffloadRow, PipelineStatus, RunRow, RunState};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::{Mill, Result};

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
    pipelines: Vec<PipelineStatus>,
    runs: Vec<RunRow>,
    /// Files that wait on scratch for an archive.
    offload: Vec<OffloadRow>,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    let count = args.runs;
    let (pipelines, runs, offload) = home
        .ledger()
        .read(move |read| {
            Ok((
                PipelineStatus::all(read)?,
                RunRow::newest(read, None, count)?,
                OffloadRow::under_way(read, None)?,
            ))
        })
        .await?;
    let size = |suffix: &str| {
        let path = format!("{}{suffix}", home.ledger().path().display());
        std::fs::metadata(path).map_or(0, |meta| meta.len())
    };
    let status = Status {
        home: home.root().display().to_string(),
        mill: home.mill().to_string(),
        ledger_bytes: size(""),
        wal_bytes: size("-wal"),
        pipelines,
        runs,
        offload,
    };
    print(flags, &home, &status, mill);
    out::json(flags, &status)?;
    Ok(Outcome::Done)
}

fn print(flags: &Flags, home: &Home, status: &Status, mill: Option<&Mill>) {
    let line = |text: String| out::result(flags, text);
    line(format!(
        "ledger {} (+ {} not yet checkpointed)",
        out::bytes(status.ledger_bytes),
        out::bytes(status.wal_bytes)
    ));
    for p in &status.pipelines {
        let planned = mill.and_then(|mill| mill.find(Some(&p.pipeline)).ok());
        let next = planned.and_then(|planned| planned.next(home.clock().as_ref(), home.zone()));
        let next =
            next.map_or(String::new(), |at| format!(" · next {}", at.format("%Y-%m-%d %H:%M")));
        line(format!(
            "{}: {} known · {} stale · {} waiting · {} parked · {} archived{next}",
            p.pipeline,
            p.known,
            p.stale,
            p.waiting,
            p.parked,
            out::bytes(p.archived_bytes)
        ));
    }
    if !status.runs.is_empty() {
        line("runs".into());
    }
    for run in &status.runs {
        line(format!(
            "  {}  {}  {:<9} {}",
            out::moment(run.started_at, home.zone()),
            run.id,
            state(run.state),
            run.pipeline
        ));
    }
    for row in &status.offload {
        let why = row.note.as_deref().map_or(String::new(), |why| format!(": {why}"));
        line(format!("waits on scratch: {} of run {}{why}", row.dataset, row.run));
    }
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Interrupted => "interrupted",
        RunState::Trial => "trial",
        RunState::RolledBack => "rolled back",
        RunState::Halted => "halted",
        RunState::Abandoned => "abandoned",
        RunState::Published => "published",
        RunState::Finished => "finished",
    }
}
