//! `schedule`: when pipelines run.

use super::flags::Flags;
use super::next;
use crate::Outcome;
use clap::Subcommand;
use tidemill_pipeline::Result;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the next times of a schedule, and what changes of the clock do to them
    #[command(after_help = next::HELP)]
    Next(next::NextArgs),
}

pub(super) fn run(flags: &Flags, verb: &Verb) -> Result<Outcome> {
    match verb {
        Verb::Next(args) => next::show(flags, args),
    }
}
