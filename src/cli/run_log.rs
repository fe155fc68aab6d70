//! The log of each run in a file of the home: a run's lines find their file by the span they are in.

use super::log_line::{self, Line};
use std::collections::BTreeSet;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidemill_pipeline::Error;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// So many files of a home are kept, the newest ones.
const KEPT: usize = 100;

/// What is said before it is known which run it is, is held back up to here, in bytes.
const EARLY: usize = 64 << 10;

/// Writes what is said within a run into the run's file. What is said outside of any run is not
/// its business.
#[derive(Debug, Default)]
pub(super) struct RunLogs {
    /// The files of runs at work: they are not among those that go.
    open: Mutex<BTreeSet<PathBuf>>,
}

/// The log of one run; lies in the run's span.
#[derive(Debug, Clone)]
struct RunLog(Arc<Mutex<Target>>);

#[derive(Debug)]
enum Target {
    /// It is not known yet which run it is: what was said so far, and how many lines had no room.
    Early(Vec<u8>, u64),
    File(File, PathBuf),
    /// The file failed, and that was said once.
    Nowhere,
}

/// Whether this is the span of a run.
pub(super) fn is_run(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.name() == "run"
        && metadata.target().starts_with("tidemill_pipeline")
}

impl<S> Layer<S> for RunLogs
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|_| is_run(attributes.metadata())) {
            let early = Target::Early(Vec::new(), 0);
            span.extensions_mut().insert(RunLog(Arc::new(Mutex::new(early))));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let log = context.span(id).and_then(|span| span.extensions().get::<RunLog>().cloned());
        if let (Some(log), Some(place)) = (log, log_line::place(values)) {
            self.begin(&log, Path::new(&place));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let scope = context.event_scope(event);
        // The innermost run, should one ever begin another.
        let log = scope.and_then(|mut spans| {
            spans.find_map(|span| span.extensions().get::<RunLog>().cloned())
        });
        if let Some(log) = log {
            log.write(&Line::of(event));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let log = context.span(&id).and_then(|span| span.extensions().get::<RunLog>().cloned());
        if let Some(Target::File(_, path)) = log.as_ref().map(RunLog::target).as_deref() {
            self.open().remove(path);
        }
    }
}

impl RunLogs {
    fn open(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes into this file from now on, first what was said before the run was known. A run that
    /// goes on goes on with its log.
    fn begin(&self, log: &RunLog, path: &Path) {
        let left_out = match log.begin(path) {
            Ok(left_out) => left_out,
            Err(error) => {
                let error = Error::from(error).context(path.display());
                tracing::warn!(%error, "this run has no log file");
                return;
            }
        };
        if left_out > 0 {
            tracing::warn!(lines = left_out, "what was said first is not all in this log");
        }
        self.open().insert(path.to_path_buf());
        if let Err(error) = path.parent().map_or(Ok(()), |folder| self.forget_old(folder)) {
            tracing::warn!(%error, "old logs of runs could not be removed");
        }
    }

    /// Removes all but the newest files, by when they were written last.
    fn forget_old(&self, folder: &Path) -> io::Result<()> {
        let written = |entry: &DirEntry| entry.metadata().and_then(|meta| meta.modified()).ok();
        let is_log = |entry: &DirEntry| entry.path().extension().is_some_and(|end| end == "log");
        let entries = std::fs::read_dir(folder)?.filter_map(io::Result::ok);
        let mut logs: Vec<DirEntry> = entries.filter(is_log).collect();
        logs.sort_by_key(|entry| std::cmp::Reverse((written(entry), entry.file_name())));
        let open = self.open().clone();
        for old in logs.iter().skip(KEPT).filter(|old| !open.contains(&old.path())) {
            match std::fs::remove_file(old.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => {} // two runs began at once
                other => other?,
            }
        }
        Ok(())
    }
}

impl RunLog {
    fn target(&self) -> MutexGuard<'_, Target> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file. Says how many early lines had no room.
    fn begin(&self, path: &Path) -> io::Result<u64> {
        let mut target = self.target();
        let (said, left_out) = match std::mem::replace(&mut *target, Target::Nowhere) {
            Target::Early(said, left_out) => (said, left_out),
            Target::File(..) | Target::Nowhere => (Vec::new(), 0),
        };
        let mut file = opened(path)?;
        file.write_all(&said)?;
        *target = Target::File(file, path.to_path_buf());
        Ok(left_out)
    }

    fn write(&self, line: &Line) {
        let Err(error) = self.try_write(line) else { return };
        // Nobody holds the target any more: this line comes here too, and finds it gone.
        tracing::warn!(%error, "the log of this run ends here");
    }

    fn try_write(&self, line: &Line) -> io::Result<()> {
        let line = line.to_bytes()?;
        let mut target = self.target();
        let written = match &mut *target {
            // In one write: who reads meanwhile sees it whole.
            Target::File(file, _) => file.write_all(&line),
            Target::Early(said, left_out) => {
                if said.len() + line.len() <= EARLY {
                    said.extend(line);
                } else {
                    *left_out += 1;
                }
                Ok(())
            }
            Target::Nowhere => Ok(()),
        };
        if written.is_err() {
            *target = Target::Nowhere;
        }
        written
    }
}

/// The file, readable for its owner only, ready for the next line.
fn opened(path: &Path) -> io::Result<File> {
    // Only the last folder is made: a home is there, or this is not its place.
    match path.parent().map(std::fs::create_dir) {
        Some(Err(error)) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?; // the power went in the middle of a line
        }
    }
    Ok(file)
}

#[cfg(test)]
#[path = "run_log_tests.rs"]
mod tests;
