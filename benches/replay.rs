//! What does it cost to say what a replay of a year would do: time, memory, bytes read?
//!
//! `cargo bench -p tidemill-stages --no-default-features --bench replay -- [PROGRAM]`
//!
//! PROGRAM is the program to measure, else `TIDEMILL_BENCH_PROGRAM` names it, else it is the release
//! build in the target folder; none is built. An archive of 365 days with 1 000 pages each, which
//! all were summed up by an older prompt, lies below `TIDEMILL_BENCH_DIR`, or else below cargo's
//! target folder (some 500 MB). Linux only: the figures are those of `/proc`, read until the process
//! ends. The exit code is 1 when a bound is missed, 2 when something could not be measured.

#[path = "support/figures.rs"]
mod figures;
#[path = "support/ground.rs"]
mod ground;
#[path = "support/year.rs"]
mod year;

use figures::{Bound, Figure, Figures};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tidemill_pipeline::{Error, Result};

/// Seconds until a forecast of the whole year is given, from the start of the process.
const FORECAST: f64 = 3.0;
/// Memory of that process, MB (10^6 bytes).
const MEMORY: f64 = 512.0;
/// Bytes that a month takes of what the year takes, at most: a twelfth, and the ledger.
const MONTH: f64 = 0.6;
/// So often each is measured; the median counts.
const ROUNDS: usize = 3;
/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    ground::ended(measure())
}

/// How many bounds were missed.
fn measure() -> Result<u32> {
    let program = program()?;
    let folder = ground::fresh_folder()?;
    let home = folder.path().join("home");
    let mut figures = Figures::begin(&ground::disk(folder.path())?);
    let begun = Instant::now();
    year::make(&program, &home)?;
    let pages = year::DAYS * year::PAGES;
    let made = begun.elapsed().as_secs_f64();
    figures.case(&format!("replay --dry-run, {pages} pages, made in {made:.0} s"));
    let whole = forecast(&program, &home, "stale", &[], pages)?;
    figures.show("--only stale, a year", &whole, true);
    let missing = forecast(&program, &home, "missing", &[], 0)?;
    figures.show("--only missing, a year", &missing, true);
    let since = year::day(year::DAYS - 30).to_string();
    let month = forecast(&program, &home, "stale", &["--since", &since], 30 * year::PAGES)?;
    figures.show("--only stale, the last 30 days", &month, false);
    figures.add(&Figure {
        what: "bytes read for the last 30 days",
        value: month.read,
        unit: "MB",
        reference: Some((whole.read, "for the year")),
        bound: Bound::at_most(whole.read * MONTH),
    });
    Ok(figures.missed())
}

impl Figures {
    fn show(&mut self, what: &str, took: &Took, bounded: bool) {
        let most = |most| if bounded { Bound::at_most(most) } else { Bound::NONE };
        let mut add = |what: &str, value, unit, bound| {
            self.add(&Figure { what, value, unit, reference: None, bound });
        };
        add(what, took.seconds, "s", most(FORECAST));
        add("  peak memory", took.memory, "MB", most(MEMORY));
        add("  bytes read", took.read, "MB", Bound::NONE);
    }
}

/// What a process took.
#[derive(Debug, Clone, Copy, Default)]
struct Took {
    seconds: f64,
    /// The most resident memory, MB.
    memory: f64,
    /// Bytes by `read` and its relatives, MB.
    read: f64,
}

/// Asks for a forecast, which must speak of so many items.
fn forecast(program: &Path, home: &Path, only: &str, more: &[&str], items: u32) -> Result<Took> {
    let words = ["replay", "news", "--from", "raw_scrapes", "--dry-run", "--json", "--only", only];
    let mut all = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut command = year::command(program, home, &[&words[..], more].concat());
        let begun = Instant::now();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (said, mut took) = watched(child)?;
        took.seconds = begun.elapsed().as_secs_f64();
        let said: Value = serde_json::from_str(&said)?;
        if said["items"] != items {
            return Err(Error::halt(format!("the forecast is of {} items", said["items"])));
        }
        all.push(took);
    }
    all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let median = all.get(ROUNDS / 2).copied().unwrap_or_default();
    let memory = all.iter().map(|took| took.memory).fold(0.0, f64::max);
    Ok(Took { memory, ..median })
}

/// Looks at a process until it ends, and hears what it says.
fn watched(mut child: Child) -> Result<(String, Took)> {
    let ears = (child.stdout.take(), child.stderr.take());
    let listen = |ear: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut said = String::new();
            if let Some(mut ear) = ear {
                ear.read_to_string(&mut said)?;
            }
            Ok::<_, std::io::Error>(said)
        })
    };
    let said = listen(ears.0.map(|ear| Box::new(ear) as Box<dyn Read + Send>));
    let complained = listen(ears.1.map(|ear| Box::new(ear) as Box<dyn Read + Send>));
    let proc = Path::new("/proc").join(child.id().to_string());
    let mut took = Took::default();
    let status = loop {
        // A process that is ending has no figures any more: the last ones stand.
        took.memory =
            number(&proc.join("status"), "VmHWM").map_or(took.memory, |kb| kb * 1024.0 / 1e6);
        took.read = number(&proc.join("io"), "rchar").map_or(took.read, |bytes| bytes / 1e6);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let heard = |ear: std::thread::JoinHandle<std::io::Result<String>>| {
        ear.join().map_err(|_| Error::halt("nobody listened to the program"))?.map_err(Error::from)
    };
    let (said, complained) = (heard(said)?, heard(complained)?);
    if !status.success() {
        return Err(Error::halt(format!("the forecast ended: {status}: {complained}")));
    }
    Ok((said, took))
}

/// The number behind `name:` in a file.
fn number(file: &Path, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The program that is measured.
fn program() -> Result<PathBuf> {
    let argument = std::env::args_os().skip(1).find(|argument| argument != "--bench");
    let named = argument.or_else(|| std::env::var_os("TIDEMILL_BENCH_PROGRAM"));
    let release = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("release/tidemill");
    let program = named.map_or_else(release, PathBuf::from);
    if program.is_file() {
        return Ok(std::path::absolute(program)?);
    }
    Err(Error::halt(format!("there is no program {}", program.display()))
        .help("build it with `cargo build --release`, or name one behind `--`"))
}

/// Runs a command of the program, which must succeed.
fn done(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::halt(format!("{command:?} ended: {told}")))
}
