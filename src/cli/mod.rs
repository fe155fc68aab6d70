//! What may be typed? One verb, one file; the flags that all share are in `flags`.

mod archive;
mod demo;
mod diagram;
mod digest;
mod doctor;
mod drive;
mod extract;
mod flags;
mod home;
mod log;
mod log_line;
mod new;
mod next;
mod notify;
mod order;
mod out;
mod parked;
mod plan;
mod progress;
mod prune;
mod read;
mod rollback;
mod run;
mod run_log;
mod runs;
mod schedule;
mod serve;
mod service;
mod shown;
mod start;
mod status;
mod trial;
mod verbs;
mod verify;
mod when;

pub use start::{of_mill, stock};
