//! What do all benches need? Child processes that are measured, bounds that can be missed, a mill
//! to run in, and SQLite without the engine to stand beside it.

pub(crate) mod bare;
pub(crate) mod child;
pub(crate) mod figures;
pub(crate) mod ground;
pub(crate) mod mill;
pub(crate) mod program;
