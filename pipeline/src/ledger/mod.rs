//! What is done already? One SQLite file per mill that holds the ledger and the published tables.

pub(crate) mod calls;
pub(crate) mod clean;
pub(crate) mod costs;
pub(crate) mod firings;
pub(crate) mod items;
pub(crate) mod jobs;
pub(crate) mod memory;
mod migrate;
#[cfg(test)]
mod migrate_tests;
pub(crate) mod notices;
pub(crate) mod offloads;
mod open;
pub(crate) mod parked;
pub(crate) mod pipelines;
mod publish;
mod readers;
pub(crate) mod replays;
pub(crate) mod requests;
mod run_state;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod server;
mod snapshot;
mod stale;
mod status;
pub(crate) mod steps;
mod tx;
pub(crate) mod undo;
mod writer;

pub use calls::CallCap;
pub use firings::FiringRow;
pub use items::ItemState;
pub use jobs::JobRow;
pub use notices::NoticeRow;
pub use offloads::{OffloadRow, OffloadState, known_archive};
pub use open::Ledger;
pub use parked::{ParkedFilter, ParkedItem};
pub use pipelines::{Choices, PipelineRow};
pub use run_state::RunState;
pub use runs::RunRow;
pub use schedules::ScheduleRow;
pub use server::server;
pub(crate) use stale::spliced;
pub use stale::{Done, Stale, StaleStep, Why};
pub use status::PipelineStatus;
pub use tx::{Read, Tx, quoted};
pub use undo::RolledBack;

pub(crate) use publish::{Publishing, publish};
pub(crate) use runs::NewRun;
pub(crate) use snapshot::write_snapshot;

/// What the SQL of tables and of stages with tables of their own needs: see the crate `rusqlite`.
pub use rusqlite::{Params, Row, params, params_from_iter, types};
