//! Who does the work, how many at once, and what happens when it stops?

pub mod emit;
pub(crate) mod execute;
pub(crate) mod finish;
pub(crate) mod flow;
mod gate;
pub(crate) mod live;
mod offload;
mod outcome;
pub mod progress;
pub(crate) mod read;
pub mod report;
mod retention;
mod retry;
pub mod stop;
pub(crate) mod tier_thread;

pub use execute::RunOptions;
pub use gate::{Gate, open_gate};
pub use progress::{Event, Progress, Silent};
pub use report::{Counts, OffloadReport, PruneReport, RunReport};
pub use retention::{apply, decide};
pub use stop::Stop;
