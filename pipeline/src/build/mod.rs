//! What may be written after a step? Pipelines as values: verbs, knobs, and the job at the end.

mod archive;
mod blueprint;
mod erased;
mod job;
mod pipeline;
mod steps;

pub use archive::Archive;
pub use blueprint::{Knobs, Memory, Node};
pub use job::Job;
pub use pipeline::{Pipeline, Unread};

pub(crate) use pipeline::check_name;

pub(crate) use blueprint::{Blueprint, Reentry};
pub(crate) use erased::{AnyReplay, SpoolOf};
