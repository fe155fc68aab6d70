//! What may be typed? One verb, one file; the flags that all share are in `flags`.

mod archive;
mod demo;
mod digest;
mod doctor;
mod drive;
mod extract;
mod flags;
mod home;
mod new;
mod out;
mod parked;
mod plan;
mod progress;
mod prune;
mod read;
mod run;
mod start;
mod status;
mod verbs;
mod verify;

pub use start::{of_mill, stock};
