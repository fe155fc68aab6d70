//! Tiers: where do a run's files lie, and how do they get from the scratch SSD to an archive so
//! that a crash, a full disk or a wrong disk never costs one of them?
//!
//! Plain file-system work that blocks; the engine calls it from a thread of its own and writes
//! its journal between the calls. Every function may be called again after a crash at any point.

pub mod archive;
pub mod atomic;
pub mod catalog;
pub mod guard;
pub mod manifest;
pub mod names;
pub mod offload;
pub mod prune;
pub mod scratch;
pub mod trash;
pub mod verify;

mod copy;
mod fault;
mod parcel;
mod shipment;
mod walk;

pub use archive::{Init, Presence, Tier, init, look};
pub use catalog::{ArchivedRun, Wanted, runs, survey_of};
pub use manifest::{Artifact, Manifest};
pub use offload::ship;
pub use parcel::{Parcel, Shipped};
pub use prune::prune;
pub use scratch::Scratch;
pub use trash::purge_trash;
pub use verify::{VerifyReport, verify};

#[cfg(test)]
mod tests;
