//! What is done already? One SQLite file per mill that holds the ledger and the published tables.

pub(crate) mod calls;
pub(crate) mod items;
mod migrate;
pub(crate) mod offloads;
mod open;
pub(crate) mod pipelines;
mod publish;
mod readers;
pub(crate) mod runs;
mod snapshot;
mod status;
pub(crate) mod steps;
mod tx;
mod writer;

pub use items::{ItemState, ParkedItem};
pub use offloads::{OffloadRow, OffloadState};
pub use open::Ledger;
pub use pipelines::{Choices, PipelineRow};
pub use runs::{RunRow, RunState};
pub use status::PipelineStatus;
pub use tx::{Read, Tx};

pub(crate) use publish::{Published, Publishing, publish};
pub(crate) use runs::NewRun;
pub(crate) use snapshot::write_snapshot;

/// What the SQL of tables and of stages with tables of their own needs: see the crate `rusqlite`.
pub use rusqlite::{Params, Row, params, params_from_iter, types};
