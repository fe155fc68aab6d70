//! What does the engine cost per item, in time and in memory, beside doing without it?
//!
//! `cargo bench -p tidemill-pipeline --bench engine -- [--items N] [CASE ...]`
//!
//! | case | items | an item is |
//! |---|---|---|
//! | `maps` | 200 000 | 8 digits as key, a text of 24 bytes |
//! | `remembered` | 200 000 | the same |
//! | `flat` | 1 000 000, and twice as many | the same |
//! | `unchanged` | 1 000 000 | the same, with its content hash |
//! | `resume` | 250 000 done, 2 to come | the same |
//!
//! Keys ascend with the items: `00000001`, `00000002`, … Every measurement is a process of its own
//! with a new home below `TIDEMILL_BENCH_DIR`, or else below cargo's target folder. The exit code is
//! 1 when a bound is missed, 2 when something could not be measured.

mod cases;
mod support;

use cases::{flat, maps, remembered, resume, unchanged};
use std::process::ExitCode;

fn main() -> ExitCode {
    support::program::main(
        &[
            ("maps", maps::case),
            ("remembered", remembered::case),
            ("flat", flat::case),
            ("unchanged", unchanged::case),
            ("resume", resume::case),
        ],
        &[
            ("maps-none", maps::none),
            ("maps-three", maps::three),
            ("maps-bare", maps::bare),
            ("remembered-run", remembered::run),
            ("remembered-bare", remembered::bare),
            ("flat-run", flat::run),
            ("unchanged-first", unchanged::first),
            ("unchanged-again", unchanged::again),
            ("unchanged-bare", unchanged::bare),
            ("resume-held", resume::held),
            ("resume-again", resume::again),
            ("resume-fresh", resume::fresh),
        ],
    )
}
