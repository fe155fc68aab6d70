//! Crash points: named places at which a test kills its own process.

/// Passes a named point; nothing happens here outside of tests.
pub(crate) fn point(_name: &'static str) {}
