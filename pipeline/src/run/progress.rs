//! Progress: what a run tells while it is at work. Who draws it is not the engine's business.

use super::report::RunReport;
use crate::ledger::ItemState;
use std::sync::Arc;

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run began, or went on.
    Begun {
        /// The run's id.
        run: &'a str,
        /// Whether an unfinished run was resumed.
        resumed: bool,
        /// Items that waited since earlier runs and are taken first.
        carried: u64,
    },
    /// A line for the person.
    Said(&'a str),
    /// The source yielded an item that will be worked on.
    Recorded,
    /// The source has nothing more to say: no more items will be recorded.
    SourceDone,
    /// A step finished an item.
    Stepped {
        /// The step's place in the plan.
        step: usize,
    },
    /// An item reached its end.
    Settled {
        /// Where it stands now.
        state: ItemState,
        /// Its key.
        key: &'a str,
        /// Why it did not get through.
        reason: Option<&'a str>,
    },
    /// The run is published, and its files are in the archive or wait for it.
    Ended {
        /// What it did.
        report: &'a RunReport,
    },
    /// The work after the last item: `seal`, `publish`, `snapshot`, `offload`, `retention`.
    Phase(&'a str),
}

/// Takes the events of a run; must return quickly.
pub trait Progress: Send + Sync {
    /// One event.
    fn event(&self, event: &Event<'_>);
}

/// Progress that nobody looks at.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// Progress that somebody else hears as well: the run's id, once it has one.
pub(crate) fn overheard(
    progress: Arc<dyn Progress>,
    told: impl Fn(&str) + Send + Sync + 'static,
) -> Arc<dyn Progress> {
    Arc::new(Overheard { progress, told: Box::new(told) })
}

struct Overheard {
    progress: Arc<dyn Progress>,
    told: Box<dyn Fn(&str) + Send + Sync>,
}

impl Progress for Overheard {
    fn event(&self, event: &Event<'_>) {
        if let Event::Begun { run, .. } = event {
            (self.told)(run);
        }
        self.progress.event(event);
    }
}
