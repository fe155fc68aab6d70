//! What the tests lean on: loopback fakes, and the program as a person runs it.

pub(crate) mod child;
pub(crate) mod fake_ollama;
pub(crate) mod fake_web;
pub(crate) mod http;
pub(crate) mod mounted;
pub(crate) mod program;
mod selftest;
