//! What does a mill cost that waits for its times: until it serves, in memory, and while it idles?
//!
//! `cargo bench -p tidemill-pipeline --bench serve -- [PROGRAM]`
//!
//! PROGRAM is the program to measure, else `TIDEMILL_BENCH_PROGRAM` names it, else it is the release
//! build in the target folder; none is built. A home with 50 schedules, none of which comes while
//! it is measured, lies below `TIDEMILL_BENCH_DIR`, or else below cargo's target folder. Linux only:
//! the figures are those of `/proc`. The exit code is 1 when a bound is missed, 2 when something
//! could not be measured.

#[path = "support/figures.rs"]
mod figures;
#[path = "support/ground.rs"]
mod ground;

use chrono::{TimeDelta, Timelike};
use figures::{Bound, Figure, Figures};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tidemill_pipeline::clock::{Clock, SystemClock};
use tidemill_pipeline::{Error, Result};

const SCHEDULES: u32 = 50;
/// So often it is started; the median counts.
const STARTS: usize = 5;
/// After this it is idle.
const SETTLED: Duration = Duration::from_secs(15);
/// So long it is watched.
const IDLE: Duration = Duration::from_secs(60);

/// Milliseconds until it says that it serves.
const START: f64 = 150.0;
/// Resident memory, MB (10^6 bytes).
const MEMORY: f64 = 30.0;
/// Processor time while it idles, in percent of one core.
const CPU: f64 = 0.1;

fn main() -> ExitCode {
    ground::ended(measure())
}

/// How many bounds were missed.
fn measure() -> Result<u32> {
    let program = program()?;
    let folder = ground::fresh_folder()?;
    let home = folder.path().join("home");
    let mut figures = Figures::begin(&ground::disk(folder.path())?);
    figures.case(&format!("serve, {SCHEDULES} schedules, {}", program.display()));
    remember(&program, &home)?;
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 1..STARTS {
        let (serving, took) = Serving::start(&program, &home)?;
        starts.push(took);
        serving.stop()?;
    }
    let (serving, took) = Serving::start(&program, &home)?;
    starts.push(took);
    starts.sort_by(f64::total_cmp);
    let median = starts.get(STARTS / 2).copied().unwrap_or(f64::NAN);
    let mut add = |what, value, unit, bound| {
        figures.add(&Figure { what, value, unit, reference: None, bound });
    };
    add("until it serves, median of 5", median, "ms", Bound::at_most(START));
    std::thread::sleep(SETTLED);
    let before = serving.idle()?;
    std::thread::sleep(IDLE);
    let after = serving.idle()?;
    let seconds = IDLE.as_secs_f64();
    add("memory, resident", serving.memory("VmRSS")?, "MB", Bound::at_most(MEMORY));
    add("  of it its own", serving.memory("RssAnon")?, "MB", Bound::NONE);
    add("  of it the program's file", serving.memory("RssFile")?, "MB", Bound::NONE);
    let cpu = 100.0 * (after.cpu - before.cpu) / seconds;
    add("processor, idle for 60 s", cpu, "%", Bound::at_most(CPU));
    let wakes = (after.wakes - before.wakes) / seconds;
    add("wakes, idle for 60 s", wakes, "/s", Bound::NONE);
    serving.stop()?;
    Ok(figures.missed())
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

fn command(program: &Path, home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).arg("--home").arg(home).env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// Lets the home remember jobs that come half a day from now.
fn remember(program: &Path, home: &Path) -> Result<()> {
    let hour = (SystemClock.now() + TimeDelta::hours(12)).hour();
    for n in 0..SCHEDULES {
        let (name, at) = (format!("job{n}"), format!("{hour:02}:{n:02}"));
        let page = format!("http://127.0.0.1:9/feed{n}");
        let words = ["digest", &page, "--name", &name, "--daily", &at, "--quiet"];
        let output = command(program, home, &words).output()?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::halt(format!("`digest --daily` ended: {told}")));
        }
    }
    Ok(())
}

/// A program that serves; killed when the bench ends before it does.
struct Serving(Child);

/// What it took so far.
struct Idle {
    /// Seconds of processor time.
    cpu: f64,
    /// How often a thread of it was woken.
    wakes: f64,
}

impl Serving {
    /// Starts it, and says how many milliseconds went by until it said that it serves.
    fn start(program: &Path, home: &Path) -> Result<(Self, f64)> {
        let begun = Instant::now();
        let mut command = command(program, home, &["serve"]);
        let mut serving = Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
        let stdout = serving.0.stdout.take().ok_or_else(|| Error::halt("it says nothing"))?;
        for line in BufReader::new(stdout).lines() {
            if line?.starts_with("serves;") {
                return Ok((serving, begun.elapsed().as_secs_f64() * 1e3));
            }
        }
        Err(Error::halt("it ended and never served"))
    }

    fn stop(mut self) -> Result<()> {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(id.ok_or_else(|| Error::halt("it has no number"))?, Signal::TERM)?;
        let status = self.0.wait()?;
        status.success().then_some(()).ok_or_else(|| Error::halt(format!("it ended: {status}")))
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join(file)
    }

    /// A line of its status, in MB (10^6 bytes).
    fn memory(&self, name: &str) -> Result<f64> {
        Ok(number(&self.proc("status"), name)? * 1024.0 / 1e6)
    }

    fn idle(&self) -> Result<Idle> {
        let stat = std::fs::read_to_string(self.proc("stat"))?;
        // The second field is the program's name in brackets and may hold blanks. Linux counts in
        // hundredths of a second, those of threads that have ended too.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
        let ticks = fields.into_iter().flatten().skip(11).take(2).map(str::parse::<f64>);
        let cpu = ticks.sum::<Result<f64, _>>()? / 100.0;
        let mut wakes = 0.0;
        for thread in std::fs::read_dir(self.proc("task"))? {
            wakes += number(&thread?.path().join("status"), "voluntary_ctxt_switches")?;
        }
        Ok(Idle { cpu, wakes })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The number behind `name:` in a file.
fn number(file: &Path, name: &str) -> Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| Error::halt(format!("{} has no {name}", file.display())))?.parse()?)
}
