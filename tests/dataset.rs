//! Promise: what the archive holds can be asked for, by us and by others, with the same answers.

mod archived;
mod bad;
mod export;
mod looks;
mod parity;
#[cfg(feature = "sql")]
mod sql;
mod yard;
