//! Where do notices go? The addresses are secrets of the home; each notice is sent once to a place.

mod file;
mod line;
mod secret;
mod send;
mod targets;
mod words;

pub(crate) use file::{add, read, remove};
pub(crate) use line::{Kind, Target};
pub(crate) use secret::Secret;
pub use targets::Targets;
