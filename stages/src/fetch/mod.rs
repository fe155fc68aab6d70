//! How do bytes come from the web to scratch, politely, and never twice?

mod archived;
mod capture;
mod charset;
mod client;
mod fetcher;
mod gate;
mod import;
mod indexes;
mod links;
mod once;
mod page;
mod politely;
mod robots;
mod rules;
mod schema;
mod visit;

pub mod canonical;
pub mod private;
pub mod sniff;

pub(crate) use archived::ArchivedPages;
pub(crate) use capture::DATASET;
pub(crate) use import::Import;

pub use canonical::canonical;
pub use charset::{Decoded, decode};
pub use client::Politeness;
pub use fetcher::Fetcher;
pub use links::links;
pub use once::get_once;
pub use page::{Link, Page};
pub use politely::Fetch;
pub use robots::{Robots, Verdict};
pub use visit::{Ask, Note, Purpose, Visit, Visited};
