//! `serve`: run the jobs by their schedules, and take orders from other terminals, until told to stop.

use super::flags::Flags;
use super::{drive, home, log, out, progress, run, schedule, shown};
use crate::health::Health;
use crate::listen::Listener;
use crate::notify::Targets;
use crate::{Outcome, systemd};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::clock;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::stop::Urgency;
use tidemill_pipeline::run::{Event, Progress, Stop};
use tidemill_pipeline::serve::{Limits, ServeOptions, Server};
use tidemill_pipeline::{Error, Mill, Result};
use tokio::task::JoinSet;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell when a run sets items aside and more than this many are
    #[arg(long, default_value_t = 10, value_name = "N")]
    parked_limit: u64,
    /// Tell when an archive or a model is away for longer than this
    #[arg(long, default_value = "24h", value_name = "SPAN", value_parser = clock::span)]
    away_limit: Duration,
    /// Listen here for /metrics (Prometheus) and /healthz, for instance on 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Let --listen be an address that other machines reach
    #[arg(long, requires = "listen")]
    listen_public: bool,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    if let Some(address) = args.listen {
        Listener::check(address, args.listen_public)?; // before a home is made for it
    }
    if mill.is_none() {
        // A slip in its name, or a disk that is away, must not make one.
        home::renewed(flags, mill).map_err(no_home)?;
    }
    let home = home::own(flags, &home::place(flags, mill)?)?;
    say(flags, format!("home {}", home.root().display()));
    let (stop, health) = (Stop::default(), Health::new());
    let listener = args
        .listen
        .map(|address| {
            Listener::start(address, args.listen_public, Arc::clone(&home), health.clone())
        })
        .transpose()?;
    let server = Server::new(&home, options(flags, args, mill, &home, &stop, &health)?)?;
    let mut beside = JoinSet::new(); // ends with the verb
    beside.spawn(drive::watch_signals(stop.clone(), flags.clone()));
    beside.spawn(say_when_it_ends(stop));
    server.open().await?;
    say_what_comes(flags, &home, mill).await?;
    if let Some(listener) = &listener {
        say(flags, format!("listens on http://{}/metrics and /healthz", listener.address()));
    }
    say(flags, "serves; Ctrl-C stops it when what is in hand is done");
    systemd::ready();
    if let Some(every) = systemd::watchdog() {
        beside.spawn(watched(every, health));
    }
    server.run().await?;
    systemd::stopping(); // it may have ended before the task that says so began
    say(flags, "stopped; what was in hand is remembered");
    Ok(Outcome::Done)
}

fn no_home(error: Error) -> Error {
    match error.reason() {
        "home_missing" => {
            error.help("`digest URL --daily 06:00` makes one that remembers what to run")
        }
        _ => error,
    }
}

fn options(
    flags: &Flags,
    args: &Args,
    mill: Option<&Mill>,
    home: &Arc<Home>,
    stop: &Stop,
    health: &Health,
) -> Result<ServeOptions> {
    let (teller, health) = (flags.clone(), health.clone());
    Ok(ServeOptions {
        notify: Arc::new(Targets::of(home.root())?),
        archive: flags.archive.as_deref().map(std::path::absolute).transpose()?,
        limits: Limits { parked: args.parked_limit, away: args.away_limit },
        tell: Arc::new(move |_: &str| Arc::new(Lines { flags: teller.clone() })),
        beat: Arc::new(move || health.beat()),
        stop: stop.clone(),
        ..ServeOptions::of(run::roster(mill))
    })
}

async fn say_when_it_ends(stop: Stop) {
    stop.reached(Urgency::Drain).await;
    systemd::stopping();
}

/// Tells the service manager's watchdog that all is well, as long as it is.
async fn watched(every: Duration, health: Health) {
    loop {
        if health.is_well() {
            systemd::alive();
        }
        tokio::time::sleep(every).await;
    }
}

/// What a service says is its log: where that is JSON, it is all of it.
fn say(flags: &Flags, text: impl AsRef<str>) {
    if log::is_json() { out::remark(flags, text) } else { out::line(flags, text) }
}

/// The schedules with their next times.
async fn say_what_comes(flags: &Flags, home: &Arc<Home>, mill: Option<&Mill>) -> Result<()> {
    let rows = schedule::listed(home, mill).await?;
    schedule::lines(&rows).into_iter().for_each(|line| say(flags, line));
    if rows.is_empty() {
        let program = out::program();
        say(
            flags,
            format!(
                "nothing is scheduled here yet; `{program} digest URL --daily 06:00` does that, or code: .daily(\"06:00\", news)"
            ),
        );
    }
    systemd::status(&out::count(rows.len() as u64, "schedule"));
    Ok(())
}

/// Tells how runs go, a line each.
struct Lines {
    flags: Flags,
}

impl Progress for Lines {
    fn event(&self, event: &Event<'_>) {
        progress::note(event);
        match event {
            Event::Begun { run, resumed, .. } => {
                let how = if *resumed { "goes on" } else { "begun" };
                say(&self.flags, format!("run {run} {how}"));
            }
            Event::Said(line) => {
                say(&self.flags, out::plain(line));
            }
            Event::Ended { report } => {
                let took = out::span(report.millis as f64);
                let items = shown::counts(&report.items);
                let line = format!("run {} of {}: {items} in {took}", report.run, report.pipeline);
                say(&self.flags, line);
                if let ("waiting", Some(note)) =
                    (report.offload.state.as_str(), &report.offload.note)
                {
                    out::wrong(format!(
                        "warning: the files of {} wait on scratch: {note}",
                        report.run
                    ));
                }
            }
            _ => {}
        }
    }
}
