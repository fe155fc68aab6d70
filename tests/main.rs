//! The one test binary: a module per promise, all through the public surface.

mod archive;
mod bad_input;
mod demo;
mod digest;
mod kill;
mod models;
mod support;
