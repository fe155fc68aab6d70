//! Driving a run from the command line: signals, progress, and the report at the end.

use super::flags::Flags;
use super::out;
use super::progress::Bar;
use crate::Outcome;
use std::path::Path;
use std::sync::Arc;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::{RunOptions, RunReport, Stop};
use tidemill_pipeline::{Job, Result};

/// Runs a job and prints its report.
pub(super) async fn drive(
    flags: &Flags,
    home: &Arc<Home>,
    job: &Job,
    strict_archive: bool,
) -> Result<(Outcome, RunReport)> {
    let stop = Stop::default();
    let signals = tokio::spawn(watch_signals(stop.clone(), flags.clone()));
    let bar = Arc::new(Bar::new(flags));
    let options = RunOptions {
        archive: flags.archive.clone().map(|place| absolute(&place)).transpose()?,
        progress: bar.clone(),
        stop,
        ..RunOptions::default()
    };
    let result = home.run(job, options).await;
    bar.end();
    signals.abort();
    let report = result?;
    print(flags, home, job, &report);
    let waits = report.offload.state == "waiting";
    if waits && let Some(note) = &report.offload.note {
        out::remark(flags, format!("warning: the files wait on scratch: {note}"));
    }
    let aside = report.items.parked > 0 || (strict_archive && waits);
    Ok((if aside { Outcome::Parked } else { Outcome::Done }, report))
}

/// A place on the command line is meant from where the command is typed.
fn absolute(place: &Path) -> Result<std::path::PathBuf> {
    Ok(std::path::absolute(place)?)
}

/// The first signal drains, the second aborts.
async fn watch_signals(stop: Stop, flags: Flags) {
    for turn in 0.. {
        if let Err(error) = signal().await {
            tracing::warn!(%error, "signals cannot be watched");
            return;
        }
        if turn == 0 {
            out::remark(&flags, "stopping: what is in hand is finished; once more stops at once");
            stop.drain();
        } else {
            stop.abort();
        }
    }
}

#[cfg(unix)]
async fn signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}

fn print(flags: &Flags, home: &Home, job: &Job, report: &RunReport) {
    let line = |text: String| out::line(flags, text);
    let how = if report.resumed { " (went on with an unfinished run)" } else { "" };
    line(format!("run     {}{how}", report.run));
    let items = report.items;
    let mut parts = vec![format!("{} done", items.done)];
    for (n, what) in
        [(items.unchanged, "unchanged"), (items.waiting, "waiting"), (items.parked, "parked")]
    {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    line(format!("items   {}", parts.join(" · ")));
    for (reason, n) in &report.reasons {
        line(format!("        {reason} × {n}"));
    }
    line(format!(
        "models  {} made · {} answered from memory",
        out::count(report.calls_made, "call"),
        report.calls_remembered
    ));
    for table in job.tables() {
        let file = home.ledger().path().display();
        line(format!(
            "table   {table}: {} changed in {file}",
            out::count(report.changed_rows, "row")
        ));
    }
    for parcel in &report.offload.parcels {
        let size = out::bytes(parcel.bytes);
        match (&parcel.folder, &parcel.note) {
            (Some(folder), None) => line(format!(
                "file{} {folder}: {}, {size}, read back and compared",
                if parcel.files == 1 { "   " } else { "s  " },
                out::count(parcel.files, "file")
            )),
            _ => line(format!("waits   {} of run {} on scratch", parcel.dataset, parcel.run)),
        }
    }
    let gone = report.retention.decisions.iter().filter(|d| !d.keep).count() as u64;
    if gone > 0 {
        line(format!("pruned  {}", out::count(gone, "archived run")));
    }
    if items.parked > 0 {
        line("next    `parked` lists what was set aside, with reasons".into());
    }
}
