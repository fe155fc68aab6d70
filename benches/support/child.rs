//! Child processes of the same binary, one per measurement, so that peak memory is its own.

use super::ground::fresh_folder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tidemill_pipeline::{Error, Result};

/// What a child is told.
#[derive(Debug)]
pub(crate) struct Order {
    /// How many items.
    pub(crate) items: u64,
    /// The folder to work in.
    pub(crate) folder: PathBuf,
}

/// What a child found, by name; `peak` in MB and `cpu` in seconds are always there.
#[derive(Debug)]
pub(crate) struct Found(BTreeMap<String, f64>);

impl Found {
    /// One of the figures.
    pub(crate) fn get(&self, name: &str) -> Result<f64> {
        let found = self.0.get(name).copied();
        found.ok_or_else(|| Error::halt(format!("the child did not say `{name}`")))
    }
}

/// The command that does a piece of work in a process of its own.
pub(crate) fn command(work: &str, items: u64, folder: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", work, "--items", &items.to_string(), "--folder"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(command)
}

/// Does a piece of work in a process of its own and a folder that is there already.
pub(crate) fn measure_in(folder: &Path, work: &str, items: u64) -> Result<Found> {
    let output = command(work, items, folder)?.output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::halt(format!("{work} ended with {}: {told}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let found = lines.map(|(name, value)| Ok((name.to_string(), value.parse()?)));
    Ok(Found(found.collect::<Result<_>>()?))
}

/// Does a piece of work in a process and a folder of its own.
pub(crate) fn measure(work: &str, items: u64) -> Result<Found> {
    measure_in(fresh_folder()?.path(), work, items)
}

/// Does pieces of work in turn, so often, and keeps what the quickest of each found.
pub(crate) fn best<const N: usize>(
    works: [&str; N],
    items: u64,
    rounds: usize,
) -> Result<[Found; N]> {
    let mut best: [Option<Found>; N] = [const { None }; N];
    for _ in 0..rounds {
        for (work, best) in works.iter().zip(&mut best) {
            let found = measure(work, items)?;
            let seconds = found.get("seconds")?;
            match best {
                Some(quickest) if quickest.get("seconds")? <= seconds => {}
                _ => *best = Some(found),
            }
        }
    }
    let found: Vec<Found> = best.into_iter().flatten().collect();
    found.try_into().map_err(|_| Error::halt("nothing was measured"))
}

/// The work and the order, when this process is a child.
pub(crate) fn order() -> Result<Option<(String, Order)>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["--child", work, "--items", items, "--folder", folder] =
        &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return Ok(None);
    };
    let order = Order { items: items.parse()?, folder: PathBuf::from(folder) };
    Ok(Some(((*work).to_string(), order)))
}

/// Tells the parent what was found, and what this process took.
#[expect(clippy::print_stdout, reason = "it goes to the parent process")]
pub(crate) fn answer(found: &[(&'static str, f64)]) -> Result<()> {
    let taken = [("peak", peak_megabytes()?), ("cpu", cpu_seconds()?)];
    for (name, value) in found.iter().chain(&taken) {
        println!("{name} {value}");
    }
    Ok(())
}

/// The most memory that this process had at once, in MB (10^6 bytes).
fn peak_megabytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes = kibibytes.ok_or_else(|| Error::halt("this system does not say VmHWM"))?;
    Ok(kibibytes.parse::<f64>()? * 1024.0 / 1e6)
}

/// User and system time of this process so far. Linux counts it for programs in hundredths.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in brackets and may hold blanks.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
    let ticks = fields.into_iter().flatten().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}
