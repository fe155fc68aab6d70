//! Which files does a run leave for other programs and for people, and how are they read again?

#[cfg(feature = "dataset")]
mod archived;
#[cfg(feature = "dataset")]
mod cells;
#[cfg(feature = "dataset")]
mod export;
mod html;
#[cfg(feature = "sql")]
mod lazy;
#[cfg(feature = "dataset")]
mod newest;
#[cfg(feature = "dataset")]
mod parquet;
#[cfg(feature = "dataset")]
mod part;
#[cfg(feature = "dataset")]
mod replay;
#[cfg(feature = "dataset")]
mod row;
#[cfg(feature = "dataset")]
mod scan;
#[cfg(feature = "dataset")]
#[cfg(test)]
mod scan_tests;
#[cfg(feature = "dataset")]
mod schema;
mod shelf;
#[cfg(feature = "sql")]
mod sql;
#[cfg(feature = "dataset")]
#[cfg(test)]
mod tests;

#[cfg(feature = "dataset")]
pub use archived::Archived;
#[cfg(feature = "dataset")]
pub use export::{Format, Rows, Written};
pub use html::HtmlPage;
#[cfg(feature = "dataset")]
pub use parquet::Parquet;
#[cfg(feature = "dataset")]
pub use polars;
#[cfg(feature = "dataset")]
pub use scan::{Frames, Scan};
#[cfg(feature = "dataset")]
pub use schema::{DatasetColumn, Type};
pub use shelf::{Day, archive_at, is_table, runs_of};
#[cfg(feature = "sql")]
pub use sql::{query, tables};
