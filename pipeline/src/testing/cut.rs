//! A source that is cut short from outside: told to stop at once, or killed where it stands.

use super::given::cut;
use crate::channel::{Receiver, channel};
use crate::run::flow;
use crate::{Context, Emit, Envelope, Fingerprint, Item, Result, Source, Step};
use std::sync::Arc;
use tokio::sync::Notify;

/// Gives its source another way out than the pipeline's, and shuts it.
pub(super) struct Cut<S> {
    source: S,
    how: How,
}

enum How {
    /// The first item is answered with *stop*; the source is dropped when this is notified.
    AtOnce(Arc<Notify>),
    /// So many items get through; then the source is dropped where it stands.
    After(usize),
}

impl<S: Source> Cut<S> {
    /// Answers the first item, and any more, with *stop*; drops the source at a notification.
    pub(super) fn at_once(source: S, enough: Arc<Notify>) -> Self {
        Self { source, how: How::AtOnce(enough) }
    }

    /// Lets so many items through, then drops the source as a kill would and halts the run.
    pub(super) fn after(source: S, items: usize) -> Self {
        Self { source, how: How::After(items) }
    }
}

impl<S: Source> Step for Cut<S> {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn fills(&self) -> Option<&str> {
        self.source.fills()
    }

    fn version(&self) -> u32 {
        self.source.version()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.source.fingerprint()
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        self.source.prepare(cx).await
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        self.source.finish(cx).await
    }
}

impl<S: Source> Source for Cut<S> {
    type Item = S::Item;

    async fn read(&self, out: &Emit<S::Item>, cx: &Context) -> Result<()> {
        let (into, from) = channel(1, usize::MAX); // one item, however large
        let own = Emit { live: Arc::clone(&out.live), out: into, source: out.source.clone() };
        match &self.how {
            How::AtOnce(enough) => {
                // Nobody receives: the item is recorded, and the answer is *stop*.
                drop(from);
                tokio::select! {
                    biased;
                    () = enough.notified() => Ok(()),
                    read = self.source.read(&own, cx) => read,
                }
            }
            How::After(items) => {
                tokio::select! {
                    biased;
                    read = self.source.read(&own, cx) => read?,
                    () = pass(from, out, *items) => {}
                }
                Err(cut())
            }
        }
    }
}

/// Passes so many items on.
async fn pass<T: Item>(mut from: Receiver<Envelope<T>>, out: &Emit<T>, items: usize) {
    for _ in 0..items {
        let Some(envelope) = from.recv().await else { return };
        if !flow::pass(&out.out, envelope).await {
            return;
        }
    }
}
