//! What time is it, and when does it run? The only room that may ask the system for the time.

mod complaint;
mod cron;
mod due;
mod every;
mod field;
mod firing;
mod nominal;
mod policy;
mod schedule;
mod source;
mod wall;
mod zone;

pub(crate) use due::{Decision, Fate, due, judged};
pub use every::span;
pub use firing::{Dst, Firing};
pub use nominal::Nominal;
pub use policy::{CatchUp, Overlap, Policy, Timing};
pub use schedule::Schedule;
pub use source::{Clock, ManualClock, SystemClock};
pub use zone::Zone;
