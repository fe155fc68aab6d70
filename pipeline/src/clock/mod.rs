//! What time is it, and when does it run? The only room that may ask the system for the time.

mod schedule;
mod source;
mod zone;

pub use schedule::{Firing, Schedule};
pub use source::{Clock, ManualClock, SystemClock};
pub use zone::Zone;
