//! tidemill: scrape to SSD scratch, summarise with local models, publish to SQLite atomically,
//! offload to the HDD or NAS, verified, with retention. You define the pipeline in Rust; the
//! program that you write is the command line.
//!
//! The machine is in [`tidemill_pipeline`], the parts are in [`tidemill_stages`]; this crate is the
//! front door: one prelude, the command line, and a ready-made pipeline ([`digest`]).
#![doc = "\n"]
#![doc = include_str!("../README.md")]

pub mod cli;
pub mod digest;
pub mod health;
pub mod listen;
pub mod metrics;
pub mod notify;
mod outcome;
mod service;
pub mod systemd;

pub use outcome::{Main, Outcome};
pub use tidemill_pipeline as pipeline;
pub use tidemill_stages as stages;
/// The polars that datasets are read with, for sums of your own.
#[cfg(feature = "dataset")]
pub use tidemill_stages::dataset::polars;

/// Everything that a pipeline is written with.
pub mod prelude {
    pub use crate::outcome::{Main, Outcome};
    pub use tidemill_pipeline::clock::{CatchUp, Overlap};
    pub use tidemill_pipeline::keep::Keep;
    pub use tidemill_pipeline::{
        Archive, Context, Emit, Error, Fingerprint, Job, Mill, Pipeline, Result, ResultExt, Sent,
        Source, Stage, Step, Yielded,
    };
    pub use tidemill_stages::crawl::Crawl;
    pub use tidemill_stages::dataset::HtmlPage;
    #[cfg(feature = "dataset")]
    pub use tidemill_stages::dataset::{Archived, Parquet};
    pub use tidemill_stages::extract::{Document, Extract, Fields, Select};
    pub use tidemill_stages::feed::{Feed, Links};
    pub use tidemill_stages::fetch::{Fetch, Link, Page};
    pub use tidemill_stages::llm::{Ollama, Summarise, Summary};
    pub use tidemill_stages::sqlite::Table;
    pub use tidemill_stages::warc::Warc;
}
