//! Which archived items does a run enter with, where do they enter, and what would that cost?

mod reader;

pub use reader::{Indexed, Replay};
