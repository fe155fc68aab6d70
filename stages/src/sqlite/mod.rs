//! How does an item become a row? Tables in the mill's SQLite file, published per run.

mod ascent;
mod schema;
mod table;
mod value;

pub use table::{Keyed, Table};
