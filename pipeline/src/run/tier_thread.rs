//! Work on an archive happens on a thread of its own that is never joined: a disk that hangs must
//! not hang the mill.

use super::log::in_run;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::oneshot;

/// An archive that shows no sign of life for this long counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs `work` on a thread of its own. It gets a function to call as a sign of life.
///
/// # Errors
/// With the error of `work`; with the verdict *wait* when it gives no sign of life any more, and
/// then the thread is left to itself.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn()) -> Result<T> + Send + 'static,
) -> Result<T> {
    let beats = Arc::new(AtomicU64::new(0));
    let beaten = Arc::clone(&beats);
    let (tell, mut told) = oneshot::channel();
    std::thread::Builder::new()
        .name("tier".into())
        .spawn(in_run(move || {
            let beat = || {
                beaten.fetch_add(1, Relaxed);
            };
            // Nobody listens only when this thread was given up.
            let _ = tell.send(work(&beat));
        }))
        .map_err(|e| Error::wait("no thread for the archive").caused_by(e))?;

    let (mut seen, mut quiet) = (0, Duration::ZERO);
    loop {
        tokio::select! {
            result = &mut told => {
                return result.unwrap_or_else(|_| Err(Error::wait("the work on the archive panicked")));
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                let now = beats.load(Relaxed);
                quiet = if now == seen { quiet + LOOK_EVERY } else { Duration::ZERO };
                seen = now;
                if quiet >= PATIENCE {
                    return Err(Error::wait(format!("the archive gave no sign of life for {PATIENCE:?}"))
                        .because("archive_hung")
                        .help("look at the disk or the share; the files stay on scratch and go at the next run"));
                }
            }
        }
    }
}
