//! Steps and stages: what may stand behind `.then(..)`.

use crate::replay::{Cost, Foreseen};
use crate::{Context, Fingerprint, Item, Replay, Result};
use std::future::Future;
use std::sync::Arc;

/// What source, stage and sink have in common: a name, a version, and what their answers depend on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step",
    label = "no name, version and fingerprint",
    note = "implement `Step` for `{Self}`: name, version and fingerprint say when a remembered answer still holds"
)]
pub trait Step: Send + Sync + 'static {
    /// A short name, the same from run to run: it names the step in plans, reports and the ledger.
    fn name(&self) -> &str;

    /// Raise it when the code changes what comes out.
    fn version(&self) -> u32;

    /// Everything in the configuration that changes what comes out. There is no default:
    /// forgetting it would serve stale answers.
    fn fingerprint(&self) -> Fingerprint;

    /// Runs once per run, before any item, and may ask the network (a model's id).
    ///
    /// What it returns stands for [`fingerprint`](Step::fingerprint) in this run.
    fn prepare(&self, _cx: &Context) -> impl Future<Output = Result<Fingerprint>> + Send {
        async { Ok(self.fingerprint()) }
    }

    /// Runs once when all items are through, before the publish: seal files here. Must be
    /// idempotent: after a crash it runs again.
    fn finish(&self, _cx: &Context) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The dataset that it fills by itself with [`Context::artifact`], as a fetching stage fills
    /// `raw_scrapes`: a place at which a pipeline can be entered again.
    fn fills(&self) -> Option<&str> {
        None
    }

    /// What an answer would cost now for an item whose last one cost `past`; called when the step is
    /// prepared. A step that asks a model says of an item that it never had that nobody can know.
    ///
    /// By default as much as last time, and nothing for an item that it never had.
    fn foresee(&self, past: Option<&Cost>) -> Foreseen {
        let same =
            |past: &Cost| Foreseen::exactly(past.calls, past.prompt_tokens + past.output_tokens);
        past.map_or_else(Foreseen::default, same)
    }

    /// How many items are worked on at once unless `.workers(n)` says otherwise.
    fn workers(&self) -> usize {
        4
    }
}

/// Turns one item into another; its answers are remembered within the run.
///
/// ```
/// use tidemill_pipeline::{Context, Fingerprint, Result, Stage, Step};
///
/// struct Shout;
/// impl Step for Shout {
///     fn name(&self) -> &str { "shout" }
///     fn version(&self) -> u32 { 1 }
///     fn fingerprint(&self) -> Fingerprint { Fingerprint::nothing() }
/// }
/// impl Stage<String> for Shout {
///     type Out = String;
///     async fn run(&self, text: String, _cx: &Context) -> Result<String> {
///         Ok(text.to_uppercase())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot follow a step that yields `{In}`",
    label = "this stage does not take `{In}`",
    note = "a stage for `{In}` implements `Stage<{In}>`",
    note = "a plain async fn goes into `.map(..)`, a table into `.store(..)`, a dataset into `.save(..)`"
)]
pub trait Stage<In: Item>: Step {
    /// What comes out.
    type Out: Item;

    /// Does the work for one item. Write it as `async fn run(&self, input: In, cx: &Context)`.
    fn run(&self, input: In, cx: &Context) -> impl Future<Output = Result<Self::Out>> + Send;

    /// What of the input the answer depends on; by default all of it. Leave out file offsets and
    /// times, or answers are computed again for nothing.
    fn input(&self, input: &In) -> Fingerprint {
        Fingerprint::of(input)
    }

    /// Reads back, as what this stage yields, the archived files of the dataset that it
    /// [fills](Step::fills). By default nobody can.
    fn replay(&self) -> Option<Arc<dyn Replay<Self::Out>>> {
        None
    }
}
