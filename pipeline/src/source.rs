//! Sources: what may stand in `.read(..)`, and how they hand over what they read.

use crate::{Context, Error, Fingerprint, Item, Replay, Result, Step};
use serde::Serialize;
use std::future::Future;
use std::sync::Arc;

pub use crate::run::emit::{Emit, Sent};

/// Reads items in. What it yields is recorded before it is worked on, together with its cursor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source",
    label = "`.read(..)` needs a source of items",
    note = "implement `Source` for `{Self}`, or use one of the ready ones: `Links`, `Feed`, `Crawl`",
    note = "a stage comes after the source, in `.then(..)`"
)]
pub trait Source: Step {
    /// What it yields.
    type Item: Item;

    /// Reads until there is nothing more, or until [`Emit::send`] answers [`Sent::Stop`].
    ///
    /// After a crash it is called again with the same cursor it had saved; what it has already
    /// yielded in this run is recognised by key and not worked on twice.
    fn read(&self, out: &Emit<Self::Item>, cx: &Context)
    -> impl Future<Output = Result<()>> + Send;

    /// Reads back, as what this source yields, the archived files of the dataset that it
    /// [fills](Step::fills). By default nobody can.
    fn replay(&self) -> Option<Arc<dyn Replay<Self::Item>>> {
        None
    }

    /// Makes one item from what a person names (an address, a file, a line), for `try`. By default
    /// the item's JSON form.
    fn single(
        &self,
        what: &str,
        _cx: &Context,
    ) -> impl Future<Output = Result<Yielded<Self::Item>>> + Send {
        async move {
            let item = serde_json::from_str(what).map_err(|e| {
                Error::halt(format!("the source {} cannot make an item of this", self.name()))
                    .because("usage")
                    .caused_by(e)
                    .help("give the item's JSON form, or implement `Source::single`")
            })?;
            Ok(Yielded::new(what, item))
        }
    }
}

/// One item as its source yields it.
#[derive(Debug, Clone)]
pub struct Yielded<T> {
    /// What the source calls it: a canonical URL, a guid, a line.
    pub key: String,
    /// The value.
    pub item: T,
    /// The hash of its content, if the source knows it; the same hash as last time means
    /// *unchanged*: its row says so, and no stage runs.
    pub content: Option<Fingerprint>,
    /// What the source wants to find again next time (validators, links), kept with the item's
    /// memory when the run is published.
    pub note: Option<serde_json::Value>,
}

impl<T> Yielded<T> {
    /// An item of which nothing is known yet.
    pub fn new(key: impl Into<String>, item: T) -> Self {
        Self { key: key.into(), item, content: None, note: None }
    }

    /// Says the hash of its content.
    #[must_use]
    pub fn content(mut self, content: Fingerprint) -> Self {
        self.content = Some(content);
        self
    }

    /// Adds what the source wants to find again next time.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn note(mut self, note: &impl Serialize) -> Result<Self> {
        self.note = Some(serde_json::to_value(note)?);
        Ok(self)
    }
}
