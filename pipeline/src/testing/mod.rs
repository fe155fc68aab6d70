//! What are one's own sources, stages and sinks tested with? A mill that goes when the test ends,
//! and suites that know what the engine relies on.
//!
//! | you wrote | look at one item | see whether it keeps the rules |
//! |---|---|---|
//! | a [`Stage`](crate::Stage) | [`Rig::stage`] | [`StageSuite`] |
//! | a [`Source`](crate::Source) | [`Rig::run`] | [`SourceSuite`] |
//! | a [`LedgerSink`](crate::LedgerSink) | [`Rig::run`], [`Rig::rows`] | [`LedgerSinkSuite`] |
//! | a [`FileSink`](crate::FileSink), hence a dataset | [`Rig::run`] | [`FileSinkSuite`] |
//!
//! A suite panics nowhere. It answers with an [`Error`](crate::Error) whose
//! [`reason`](crate::Error::reason) is the name of the rule that is broken. In a test this is the
//! body of a `#[tokio::test]` that returns `Result<()>`:
//!
//! ```
//! use tidemill_pipeline::testing::{Rig, StageSuite};
//! use tidemill_pipeline::{Context, Fingerprint, Result, Stage, Step};
//!
//! struct Shout;
//! # impl Step for Shout {
//! #     fn name(&self) -> &str { "shout" }
//! #     fn version(&self) -> u32 { 1 }
//! #     fn fingerprint(&self) -> Fingerprint { Fingerprint::nothing() }
//! # }
//! impl Stage<String> for Shout {
//!     type Out = String;
//!     async fn run(&self, text: String, _cx: &Context) -> Result<String> {
//!         Ok(text.to_uppercase())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let rig = Rig::new()?;
//! let worked = rig.stage(Shout, "ebb".to_string()).await?;
//! assert_eq!((worked.result?.as_str(), worked.tries), ("EBB", 1));
//!
//! let inputs = ["ebb", "flow"].map(String::from);
//! StageSuite::of(|| Shout, inputs).check(&rig).await
//! # }
//! ```

mod breach;
mod cut;
mod file_sink;
mod given;
mod ledger_sink;
mod lines;
mod reread;
mod rig;
mod rows;
mod sealed;
mod source;
mod stage;
mod step;
mod table;
mod watched;
mod worked;

pub use file_sink::FileSinkSuite;
pub use ledger_sink::LedgerSinkSuite;
pub use lines::Lines;
pub use rig::Rig;
pub use rows::rows;
pub use source::SourceSuite;
pub use stage::StageSuite;
pub use worked::Worked;
