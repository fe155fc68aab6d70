//! The machine of tidemill: pipelines as values, a ledger that knows what is done, a runner that
//! survives being killed, tiers with verified copies, retention with reasons, and a clock.
//!
//! It knows no HTTP, no HTML, no model and no command line: those are the parts (`tidemill-stages`)
//! and the front door (`tidemill`), which most people use.
//!
//! ```
//! use tidemill_pipeline::mill::{Home, HomeOptions};
//! use tidemill_pipeline::run::RunOptions;
//! use tidemill_pipeline::testing::Lines;
//! use tidemill_pipeline::{Job, Pipeline, Result};
//! use std::sync::Arc;
//!
//! async fn shout(line: String) -> Result<String> { Ok(line.to_uppercase()) }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir()?;
//! let job = Job::from(Pipeline::named("shout").read(Lines::of(["ebb", "flow"])).map(shout));
//! let home = Arc::new(Home::open(folder.path(), HomeOptions::owner())?);
//! let report = home.run(&job, RunOptions::default()).await?;
//! assert_eq!(report.items.done, 2);
//! # Ok(())
//! # }
//! ```

pub mod build;
mod channel;
pub mod clock;
mod context;
#[cfg(feature = "crash-points")]
#[doc(hidden)]
pub mod crash;
#[cfg(not(feature = "crash-points"))]
mod crash;
mod error;
mod fingerprint;
mod item;
pub mod keep;
pub mod ledger;
pub mod mill;
pub mod replay;
pub mod run;
pub mod serve;
pub mod sink;
pub mod source;
mod stage;
pub mod testing;
pub mod tier;

pub use build::{Archive, Job, Pipeline};
pub use context::Context;
pub use error::{Error, Result, ResultExt, Verdict};
pub use fingerprint::Fingerprint;
pub(crate) use item::Envelope;
pub use item::{Blob, Item};
pub use mill::Mill;
pub use replay::Replay;
pub use sink::{FileSink, LedgerSink};
pub use source::{Emit, Sent, Source, Yielded};
pub use stage::{Stage, Step};
