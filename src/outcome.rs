//! How a program ends: its exit code, and what is said before.

use crate::cli;
use std::process::{ExitCode, Termination};
use tidemill_pipeline::{Error, Mill};

/// How a program of tidemill ended; `main` returns it.
///
/// | code | meaning |
/// |---|---|
/// | 0 | done; also when a known archive is away and the files wait for it |
/// | 1 | done, with parked items |
/// | 2 | refused or failed |
/// | 75 | nothing was started: the home is in use by another process |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Done,
    /// Done, but some items were set aside.
    Parked,
    /// Nothing was done, or it stopped in the middle.
    Failed,
    /// Another process owns the home.
    Locked,
}

impl Outcome {
    /// The outcome that an error means.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        if error.reason() == "home_locked" { Outcome::Locked } else { Outcome::Failed }
    }
}

impl Termination for Outcome {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Outcome::Done => 0,
            Outcome::Parked => 1,
            Outcome::Failed => 2,
            Outcome::Locked => 75,
        })
    }
}

/// Turns a mill into a program.
pub trait Main {
    /// Reads the command line and does what it says: `serve`, `schedule`, `run`, `try`, `plan`,
    /// `status`, `runs`, `parked`, `rollback`, `prune`, `verify`, `read`, `notify`, `service`,
    /// `doctor`.
    fn main(self) -> Outcome;
}

impl Main for Mill {
    fn main(self) -> Outcome {
        cli::of_mill(self)
    }
}
