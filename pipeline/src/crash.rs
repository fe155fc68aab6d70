//! Crash points: named places at which a test has this process killed. Without the feature
//! `crash-points`, which only tests switch on, they are nothing.
//!
//! With it, `TIDEMILL_CRASH_AT=name:n` in the environment kills the process with SIGKILL when the
//! point of that name is passed for the `n`th time (`name` alone means the first time). A point
//! stands on each side of every durable step: what is before it may be lost, what is behind it may
//! not.

#[cfg(feature = "crash-points")]
mod armed {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Where this process is to die.
    struct Aim {
        name: String,
        /// Passes that are left; the last one is deadly.
        left: AtomicU64,
    }

    static AIM: LazyLock<Option<Aim>> = LazyLock::new(|| {
        let aim = std::env::var("TIDEMILL_CRASH_AT").ok()?;
        let (name, n) = aim.split_once(':').unwrap_or((&aim, "1"));
        let Ok(left) = n.parse() else {
            // The test that set it sees a process that does not die, and fails.
            tracing::error!(aim, "TIDEMILL_CRASH_AT is not name:n");
            return None;
        };
        Some(Aim { name: name.to_owned(), left: AtomicU64::new(left) })
    });

    pub(crate) fn point(name: &'static str) {
        let Some(aim) = AIM.as_ref().filter(|aim| aim.name == name) else { return };
        if aim.left.fetch_sub(1, Relaxed) == 1 {
            die();
        }
    }

    /// Dies as if the power had gone, as far as this process can tell.
    fn die() -> ! {
        if let Err(error) = kill_process(getpid(), Signal::KILL) {
            tracing::error!(%error, "this process could not kill itself");
        }
        // The signal may need a moment to reach this thread; it must not go on meanwhile.
        loop {
            std::thread::park();
        }
    }
}

#[cfg(feature = "crash-points")]
pub(crate) use armed::point;

/// A crash point; in this build it does nothing.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub(crate) fn point(_name: &'static str) {}

/// Every crash point, in the order in which a run passes them for the first time.
#[cfg(feature = "crash-points")]
pub const POINTS: &[&str] = &[
    "ledger.begun",
    "ledger.committed",
    "call.answered",
    "call.journaled",
    "step.done",
    "seal.begun",
    "seal.file",
    "seal.log",
    "memory.written",
    "publish.inside",
    "publish.committed",
    "snapshot.written",
    "offload.planned",
    "ship.copied",
    "ship.renamed",
    "ship.manifest",
    "offload.parcel",
    "offload.shipped",
    "offload.committed",
    "offload.retiring",
    "offload.retired",
    "clean.middle",
    "rollback.inside",
];

/// The crash points of a server, in the order in which it passes them.
#[cfg(feature = "crash-points")]
pub const SERVE_POINTS: &[&str] = &["serve.decided", "serve.begun"];
