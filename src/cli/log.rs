//! Logs: on stderr for who looks on, and in a file of the home for each run.

use super::flags::Flags;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tidemill_pipeline::{Result, ResultExt};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// So many files are kept, the newest ones.
const KEPT: usize = 30;

/// What is logged before a run begins is held back up to here, in bytes.
const EARLY: usize = 64 << 10;

/// The target of lines that the run's progress says: they are shown already.
pub(super) const SHOWN: &str = "tidemill::run";

/// Sets up both. `TIDEMILL_LOG` overrules `-v` and `-q` for stderr; the file gets what our crates
/// say at *info*, which is neither page text nor a secret.
pub(super) fn start(flags: &Flags) {
    let level = match (flags.quiet, flags.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "info,tidemill_pipeline=info,tidemill_stages=info",
        _ => "info,tidemill=debug,tidemill_pipeline=debug,tidemill_stages=debug",
    };
    let wanted = EnvFilter::try_from_env("TIDEMILL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let unseen = filter_fn(|metadata| metadata.target() != SHOWN);
    let shown = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(wanted.and(unseen));
    let ours = ["tidemill", "tidemill_pipeline", "tidemill_stages"];
    let kept = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(flags.log.clone())
        .with_filter(Targets::new().with_targets(ours.map(|target| (target, LevelFilter::INFO))));
    // Only fails when a program has set up a log of its own before: then that one is used.
    let _ = tracing_subscriber::registry().with(shown).with(kept).try_init();
}

/// The log file of a run, once it has begun; clones write into the same file.
#[derive(Debug, Clone, Default)]
pub(super) struct RunLog(Arc<Mutex<Target>>);

#[derive(Debug)]
enum Target {
    /// No run has begun: what was said so far.
    Early(Vec<u8>),
    File(File),
}

impl Default for Target {
    fn default() -> Self {
        Target::Early(Vec::new())
    }
}

/// The file of a run's log.
pub(super) fn path(home: &Path, run: &str) -> PathBuf {
    home.join("logs").join(format!("{run}.log"))
}

impl RunLog {
    /// Writes into this run's file from now on, first what was said before the run began. A run
    /// that goes on goes on with its log.
    pub(super) fn begin(&self, home: &Path, run: &str) {
        if let Err(error) = self.open(home, run) {
            tracing::warn!(%error, "this run has no log file");
        }
    }

    fn open(&self, home: &Path, run: &str) -> Result<()> {
        let path = path(home, run);
        let folder = home.join("logs");
        std::fs::create_dir_all(&folder).doing("making the folder for logs").or_halt()?;
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).doing(path.display()).or_halt()?;
        let mut target = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Target::Early(said) = &*target {
            file.write_all(said)?;
        }
        *target = Target::File(file);
        drop(target);
        forget_old(&folder)
    }
}

/// Removes all but the newest files, by when they were written last.
fn forget_old(folder: &Path) -> Result<()> {
    let written = |entry: &DirEntry| entry.metadata().and_then(|meta| meta.modified()).ok();
    let is_log = |entry: &DirEntry| entry.path().extension().is_some_and(|end| end == "log");
    let entries = std::fs::read_dir(folder)?.filter_map(std::io::Result::ok);
    let mut logs: Vec<DirEntry> = entries.filter(is_log).collect();
    logs.sort_by_key(|entry| std::cmp::Reverse((written(entry), entry.file_name())));
    for old in logs.iter().skip(KEPT) {
        std::fs::remove_file(old.path())?;
    }
    Ok(())
}

impl Write for RunLog {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Target::File(file) => file.write_all(line)?,
            Target::Early(said) if said.len() + line.len() <= EARLY => said.extend(line),
            Target::Early(_) => {} // most verbs never begin a run
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files as they like")]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_is_in_the_file_and_only_the_newest_are_kept() {
        let home = tempfile::tempdir().unwrap();
        let logs = home.path().join("logs");
        std::fs::create_dir_all(&logs).unwrap();
        for n in 0..KEPT + 5 {
            std::fs::write(logs.join(format!("old-{n:02}.log")), "old").unwrap();
        }
        std::fs::write(logs.join("note.txt"), "not a log").unwrap();
        let mut log = RunLog::default();
        log.write_all(b"early\n").unwrap();
        log.begin(home.path(), "run-1");
        log.clone().write_all(b"late\n").unwrap();
        let text = std::fs::read_to_string(path(home.path(), "run-1")).unwrap();
        assert_eq!(text, "early\nlate\n");
        assert_eq!(
            std::fs::read_dir(&logs).unwrap().count(),
            KEPT + 1,
            "and the file that is none"
        );
    }
}
