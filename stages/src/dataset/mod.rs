//! Which files does a run leave for other programs and for people, and how are they read again?

#[cfg(feature = "dataset")]
mod archived;
#[cfg(feature = "dataset")]
mod cells;
mod html;
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
mod schema;
mod shelf;
#[cfg(all(test, feature = "dataset"))]
mod tests;

#[cfg(feature = "dataset")]
pub use archived::Archived;
pub use html::HtmlPage;
#[cfg(feature = "dataset")]
pub use parquet::Parquet;
#[cfg(feature = "dataset")]
pub use scan::{Frames, Scan};
#[cfg(feature = "dataset")]
pub use schema::{DatasetColumn, Type};
pub use shelf::{Day, archive_at, runs_of};
