//! The one test binary: a module per promise, all through the public surface.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests break things on purpose and say what they skip"
)]

mod archive;
mod bad_input;
mod cli;
mod clock;
mod conformance;
mod crash;
#[cfg(feature = "dataset")]
mod dataset;
mod demo;
mod digest;
mod engine;
mod examples;
mod formats;
mod house;
mod kill;
mod models;
mod notify;
mod project;
mod raw_pages;
mod replay;
mod serve;
mod support;
