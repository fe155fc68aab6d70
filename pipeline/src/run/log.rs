//! The log of a run: which lines are its own, and the copy of it that is archived.

use super::live::Live;
use super::reenter::NOTHING;
use super::report::RunReport;
use crate::mill::Home;
use crate::tier::atomic::Staged;
use crate::{Context, Error, Result, ResultExt, crash};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::sync::Arc;
use tracing::{Span, field::display};

/// The dataset of logs; its runs are increments.
const LOGS: &str = "logs";
/// The name of the copy.
const NAME: &str = "run.log";
/// So much is told of why a run stopped, in characters.
const TOLD: usize = 500;

/// Says in the run's span which run it is, and where its log is to lie. Whoever keeps logs (the
/// command line does) writes what is said within the span into that file.
pub(super) fn begun(home: &Home, run: &str, log: &str) {
    let span = Span::current();
    span.record("run", run);
    span.record("log", display(home.log(log).display()));
}

/// Says how the run ended, while its span is still there.
pub(super) fn ended(result: &Result<RunReport>) {
    match result {
        Ok(RunReport { state, items, .. }) => tracing::info!(
            state = state.as_str(),
            done = items.done,
            unchanged = items.unchanged,
            waiting = items.waiting,
            parked = items.parked,
            "run ended"
        ),
        // A replay that made room, or had nothing to do, and whoever was told to stop.
        Err(error) if ["interrupted", NOTHING].contains(&error.reason()) => {
            tracing::info!(reason = error.reason(), "run stopped: {}", short(error.message()));
        }
        Err(error) => {
            tracing::error!(reason = error.reason(), "run stopped: {}", short(error.message()));
        }
    }
}

fn short(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(TOLD) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// Work for another thread whose lines stay with the run: threads and blocking tasks know nothing
/// of the one that began them.
///
/// ```
/// # async fn count(text: String) -> usize {
/// use tidemill_pipeline::run::in_run;
/// let words = tokio::task::spawn_blocking(in_run(move || text.split_whitespace().count()));
/// words.await.unwrap_or(0)
/// # }
/// ```
pub fn in_run<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let span = Span::current();
    move || span.in_scope(work)
}

/// Seals the log as far as it is written. What is said later, by the publish, the offload and
/// retention, is in the home's file only: a file that is in the archive never changes.
///
/// A resumed run seals it again. Without an archive, or where nobody keeps logs, nothing is done.
pub(super) async fn seal(live: &Arc<Live>) -> Result<()> {
    if live.blueprint.archive.is_none() {
        return Ok(());
    }
    let sealing = Arc::clone(live);
    let sealed = tokio::task::spawn_blocking(in_run(move || copy(&sealing)))
        .await
        .map_err(|e| Error::halt("sealing the run's log failed").caused_by(e))??;
    if sealed {
        live.add_artifact(LOGS, NAME);
        crash::point("seal.log");
    }
    Ok(())
}

/// Copies the log into the run's scratch folder; false when there is none.
fn copy(live: &Arc<Live>) -> Result<bool> {
    let path = live.scene.home.log(&live.run.id);
    let log = match File::open(&path) {
        Ok(log) => log,
        Err(error) => {
            // A log is no reason to halt: what the run made is published all the same.
            if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                tracing::warn!(%error, "the log is not archived, since it cannot be read");
            }
            return Ok(false);
        }
    };
    let mut copy = Staged::create(&Context::of_run(live).folder(LOGS)?.join(NAME))?;
    whole_lines(BufReader::new(log), &mut copy).doing(path.display()).or_halt()?;
    copy.commit_over()?;
    Ok(true)
}

/// A line without its end is being written just now, or was when the power went.
fn whole_lines(mut from: impl BufRead, to: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n") {
            to.write_all(&line)?;
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_shortened_and_says_so() {
        assert_eq!(short("é".repeat(TOLD)), "é".repeat(TOLD));
        assert_eq!(short("é".repeat(TOLD + 1)), format!("{}…", "é".repeat(TOLD)));
    }

    #[test]
    fn a_line_without_its_end_is_left_out() {
        let mut copy = Vec::new();
        whole_lines(&b"one\ntwo\nthr"[..], &mut copy).unwrap();
        assert_eq!(copy, b"one\ntwo\n");
        copy.clear();
        whole_lines(&b""[..], &mut copy).unwrap();
        assert_eq!(copy, b"");
    }
}
