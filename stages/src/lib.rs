//! The parts of tidemill: what pipelines are made of. One folder per trade; none of them knows
//! another's insides, and the machine (`tidemill-pipeline`) knows none of them.

pub mod crawl;
pub mod dataset;
pub mod demo;
pub mod extract;
pub mod feed;
pub mod fetch;
pub mod llm;
pub mod shape;
pub mod sqlite;
pub mod warc;
