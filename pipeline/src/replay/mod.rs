//! Which archived items does a run work on again, where do they enter, and what would that cost?

mod cost;
mod filter;
mod forecast;
pub(crate) mod pick;
mod reader;
mod selection;
mod shelf;

pub use cost::{Cost, Foreseen};
pub use forecast::{Calls, Forecast, Reason, StepForecast};
pub use pick::Kinds;
pub use reader::{Indexed, Replay};
pub use selection::{Only, Selection};

pub(crate) use filter::Filter;
pub(crate) use pick::{Known, Picked, pick};
pub(crate) use shelf::Shelf;
