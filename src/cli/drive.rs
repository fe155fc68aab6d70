//! Driving a run from the command line: signals, orders of others, progress, the report at the end.

use super::flags::{Flags, RunFlags};
use super::out;
use super::progress::Bar;
use super::shown::{self, Told};
use crate::Outcome;
use std::path::Path;
use std::sync::Arc;
use tidemill_pipeline::mill::{Home, Planned};
use tidemill_pipeline::run::{RunOptions, RunReport, Stop};
use tidemill_pipeline::{Job, Result};
use tokio::task::JoinHandle;

/// Runs a job and prints its report.
pub(super) async fn drive(
    flags: &Flags,
    home: &Arc<Home>,
    planned: &Planned,
    at: Option<&str>,
    how: &RunFlags,
) -> Result<(Outcome, RunReport)> {
    let bar = Arc::new(Bar::new(flags, home));
    let (options, signals) = options(flags, &bar)?;
    let archive = options.archive.clone().or_else(|| planned.archive.clone());
    let options = RunOptions { keep_going: how.keep_going, archive, ..options };
    let attending = tokio::spawn(Arc::clone(home).attend(None));
    let result = match at {
        Some(at) => home.run_at(planned, at, options).await,
        None => home.run(&planned.job, options).await,
    };
    home.answered().await;
    attending.abort();
    bar.end();
    signals.abort();
    let report = result?;
    let outcome = tell(flags, home, &planned.job, &report, how)?;
    Ok((outcome, report))
}

/// Prints the report of a run, and says how the program ends.
pub(super) fn tell(
    flags: &Flags,
    home: &Home,
    job: &Job,
    report: &RunReport,
    how: &RunFlags,
) -> Result<Outcome> {
    print(flags, home, job, report)?;
    let waits = report.offload.state == "waiting";
    if waits && let Some(note) = &report.offload.note {
        out::wrong(format!("warning: the files wait on scratch: {note}"));
    }
    if flags.quiet && report.items.parked > 0 {
        let count = out::count(report.items.parked, "item");
        out::wrong(format!("{count} set aside in run {}: see `parked`", report.run));
    }
    let aside = report.items.parked > 0 || (how.strict_archive && waits);
    Ok(if aside { Outcome::Parked } else { Outcome::Done })
}

/// What a run is begun with on the command line, and the task that watches for signals.
pub(super) fn options(flags: &Flags, bar: &Arc<Bar>) -> Result<(RunOptions, JoinHandle<()>)> {
    let stop = Stop::default();
    let signals = tokio::spawn(watch_signals(stop.clone(), flags.clone()));
    let options = RunOptions {
        archive: flags.archive.clone().map(|place| absolute(&place)).transpose()?,
        progress: bar.clone(),
        stop,
        ..RunOptions::default()
    };
    Ok((options, signals))
}

/// A place on the command line is meant from where the command is typed.
fn absolute(place: &Path) -> Result<std::path::PathBuf> {
    Ok(std::path::absolute(place)?)
}

/// The first signal drains, the second aborts. They are listened for from this call on, so that one
/// that comes at once does not end the process.
pub(super) fn watch_signals(stop: Stop, flags: Flags) -> impl Future<Output = ()> {
    let signals = Signals::listen();
    async move {
        let mut signals = match signals {
            Ok(signals) => signals,
            Err(error) => {
                tracing::warn!(%error, "signals cannot be watched");
                return;
            }
        };
        signals.next().await;
        out::remark(&flags, "stopping: what is in hand is finished; once more stops at once");
        stop.drain();
        signals.next().await;
        stop.abort();
    }
}

/// The signals that ask a program to stop.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signals that ask a program to stop.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "signals cannot be watched");
            std::future::pending::<()>().await;
        }
    }
}

fn print(flags: &Flags, home: &Home, job: &Job, report: &RunReport) -> Result<()> {
    let line = |text: String| out::line(flags, text);
    let told = Told::of(report)?;
    let how = if report.resumed { " (went on with an unfinished run)" } else { "" };
    line(format!("run     {}{how}", report.run));
    line(format!("items   {}", shown::counts(&report.items)));
    for reason in shown::reasons(&told) {
        line(format!("        {reason}"));
    }
    line(format!(
        "models  {} made · {} answered from memory",
        out::count(report.calls_made, "call"),
        report.calls_remembered
    ));
    if let Some(slowest) = shown::slowest(&report.steps) {
        line(format!("time    {}; {slowest}", out::span(report.millis as f64)));
    }
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
            (Some(folder), None) => {
                let files = out::count(parcel.files, "file");
                line(format!("files   {files}, {size}, read back and compared, in"));
                line(format!("        {folder}"));
            }
            _ => line(format!("waits   {} of run {} on scratch", parcel.dataset, parcel.run)),
        }
    }
    let gone = report.retention.decisions.iter().filter(|d| !d.keep).count() as u64;
    if gone > 0 {
        line(format!("pruned  {}", out::count(gone, "archived run")));
    }
    if report.items.parked > 0 {
        line("next    `parked` lists what was set aside, with reasons".into());
    }
    Ok(())
}
