//! What the suites put before and behind the part that they look at.

use super::breach::breach;
use crate::run::{Event, Progress};
use crate::sink::{Saved, Sealing};
use crate::{
    Context, Emit, Error, FileSink, Fingerprint, Item, Result, Sent, Source, Step, Yielded,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

/// Yields the numbers 0, 1, 2 … under these keys: a suite looks up by number what it really means.
///
/// With another argument it is another source to the engine: a new run begins.
pub(super) struct Given {
    pub(super) keys: Vec<String>,
    pub(super) argument: u64,
}

impl Given {
    /// So many numbers, with the keys `item-0`, `item-1` …
    pub(super) fn many(count: usize, argument: u64) -> Self {
        Self { keys: (0..count).map(|n| format!("item-{n}")).collect(), argument }
    }
}

impl Step for Given {
    fn name(&self) -> &str {
        "given"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.argument)
    }
}

impl Source for Given {
    type Item = usize;

    async fn read(&self, out: &Emit<usize>, _cx: &Context) -> Result<()> {
        for (number, key) in self.keys.iter().enumerate() {
            if out.send(Yielded::new(key, number)).await? == Sent::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// The item that a number stands for.
pub(super) fn item<T: Clone>(items: &[T], number: usize) -> Result<T> {
    items.get(number).cloned().ok_or_else(|| Error::halt(format!("there is no item {number}")))
}

/// A file sink that keeps what it is given, to be looked at, and leaves no file.
pub(super) struct Catch<T>(Arc<Mutex<Vec<Saved<T>>>>);

impl<T> Clone for Catch<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Item> Catch<T> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// The items that got through in the last run that was sealed.
    pub(super) fn last(&self) -> Vec<Saved<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Item> Step for Catch<T> {
    fn name(&self) -> &str {
        "catch"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl<T: Item> FileSink<T> for Catch<T> {
    fn dataset(&self) -> &str {
        "caught"
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<T>>>,
        _sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let all = rows.collect::<Result<Vec<_>>>()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(Vec::new())
    }
}

/// Does something once, when the source of a run has had this many items recorded.
pub(super) struct AtRecord<F> {
    pub(super) count: usize,
    pub(super) seen: AtomicUsize,
    pub(super) act: F,
}

impl<F: Fn() + Send + Sync> AtRecord<F> {
    pub(super) fn new(count: usize, act: F) -> Self {
        Self { count, seen: AtomicUsize::new(0), act }
    }
}

impl<F: Fn() + Send + Sync> Progress for AtRecord<F> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Recorded) && self.seen.fetch_add(1, SeqCst) + 1 == self.count {
            (self.act)();
        }
    }
}

/// The error by which a suite halts a run in the middle.
pub(super) fn cut() -> Error {
    Error::halt("the suite halts this run").because(CUT)
}

/// Whether a run was halted by [`cut`].
pub(super) fn was_cut<T>(run: &Result<T>) -> bool {
    run.as_ref().is_err_and(|error| error.reason() == CUT)
}

const CUT: &str = "halted_by_suite";

/// Says that a suite has not enough to go by.
pub(super) fn too_few(what: &str, least: usize, found: usize) -> Error {
    let seen = format!("the suite has {found} {what}, and with fewer than {least} it cannot fail");
    breach("too_few", seen, "give it more of them")
}
