//! The states of a run, and their names.

use serde::{Deserialize, Serialize};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// At work.
    Running,
    /// Killed at work: the next `run` goes on with it.
    Interrupted,
    /// Stopped by an error: the next `run` goes on with it.
    Halted,
    /// Given up: for a run with other arguments, by a rollback, or because it was only a trial.
    Abandoned,
    /// One item, to be looked at: it is never published.
    Trial,
    /// Its rows are the current ones; files may still wait for the archive.
    Published,
    /// Published, and all its files are in the archive.
    Finished,
    /// Was published; its rows were taken back.
    RolledBack,
}

impl RunState {
    /// Its name, as the ledger and reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Interrupted => "interrupted",
            RunState::Halted => "halted",
            RunState::Abandoned => "abandoned",
            RunState::Trial => "trial",
            RunState::Published => "published",
            RunState::Finished => "finished",
            RunState::RolledBack => "rolled_back",
        }
    }

    /// Whether its rows are current ones.
    #[must_use]
    pub fn is_published(self) -> bool {
        matches!(self, RunState::Published | RunState::Finished)
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "running" => RunState::Running,
            "interrupted" => RunState::Interrupted,
            "trial" => RunState::Trial,
            "rolled_back" => RunState::RolledBack,
            "halted" => RunState::Halted,
            "published" => RunState::Published,
            "finished" => RunState::Finished,
            _ => RunState::Abandoned,
        }
    }
}
