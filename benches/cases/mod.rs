//! What is measured of the engine? A file per case, each with its reference.

pub(crate) mod flat;
pub(crate) mod maps;
mod parts;
pub(crate) mod remembered;
pub(crate) mod resume;
pub(crate) mod unchanged;
