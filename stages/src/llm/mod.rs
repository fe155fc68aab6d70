//! How does a page become a summary, with a local model or without one, and nothing lost on the way?
//!
//! A [`Summarise`] stage asks a [`Backend`]; every answer is journaled. [`Ollama`] names a model on
//! a server, [`Scripted`] stands in for one in tests, [`extract_summary`] needs none.
//! Three promises: a prompt is never silently truncated (`budget`, `condense`), a model is never
//! silently replaced by something else (`choice`, `summarise`), and a page's text is data, never an
//! instruction (`prompt`, `clean`).

mod backend;
mod budget;
mod choice;
mod chunk;
mod clean;
mod condense;
mod endpoint;
mod extractive;
mod foresee;
mod gate;
mod model;
mod ndjson;
mod ollama;
mod plain;
mod prompt;
mod ready;
mod scripted;
mod sentences;
mod server;
mod shared;
mod stream;
mod summarise;
mod summary;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod stage_tests;
#[cfg(test)]
mod tests;

pub use backend::{Answer, Backend, Facts, Options, Request};
pub use extractive::extract_summary;
pub use ollama::Ollama;
pub use scripted::Scripted;
pub use server::{OllamaServer, Tag};
pub use summarise::{Model, Summarise};
pub use summary::Summary;
