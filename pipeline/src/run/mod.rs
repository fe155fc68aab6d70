//! Who does the work, how many at once, and what happens when it stops?

mod begin;
pub mod emit;
pub(crate) mod entry;
pub(crate) mod execute;
pub(crate) mod finish;
pub(crate) mod flow;
mod gate;
mod keys;
pub(crate) mod live;
mod log;
mod offload;
mod outcome;
pub mod progress;
mod pulse;
pub(crate) mod read;
pub(crate) mod reenter;
mod replay;
pub mod report;
mod retention;
mod retry;
pub(crate) mod stats;
pub mod stop;
mod tally;
pub(crate) mod tier_thread;
mod trial;
pub(crate) mod work;

pub use execute::RunOptions;
pub use gate::{Gate, never_initialised, open_gate};
pub use log::in_run;
pub use progress::{Event, Progress, Silent};
pub use report::{Counts, OffloadReport, PruneLine, PruneReport, Pulse, RunReport};
pub use retention::{apply, decide};
pub use stats::StepReport;
pub use stop::Stop;
pub use trial::{TrialReport, TrialStep};
