//! Which columns does a type have? Asked of its `Deserialize`, so that no second derive is needed.

mod columns;
mod trace;

pub use columns::{Column, Kind, columns};
