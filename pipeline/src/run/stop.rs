//! Stopping: the first signal drains, the second aborts, an error that halts aborts too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How urgently a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It may go on.
    Go,
    /// Finish what is in hand, remember it, and stop.
    Drain,
    /// Stop now; what is in hand is done again next time.
    Abort,
}

/// The switch that stops a run; clones turn the same switch.
#[derive(Debug, Clone)]
pub struct Stop(Arc<Switch>);

#[derive(Debug)]
struct Switch {
    /// What the watch holds too: read for each item, and a watch takes a lock to be read.
    level: AtomicU8,
    turned: watch::Sender<Urgency>,
}

impl Default for Stop {
    fn default() -> Self {
        let turned = watch::Sender::new(Urgency::Go);
        Self(Arc::new(Switch { level: AtomicU8::new(Urgency::Go as u8), turned }))
    }
}

impl Stop {
    /// Asks the run to finish what is in hand and stop.
    pub fn drain(&self) {
        self.raise(Urgency::Drain);
    }

    /// Asks the run to stop now.
    pub fn abort(&self) {
        self.raise(Urgency::Abort);
    }

    /// How urgent it is.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        match self.0.level.load(SeqCst) {
            0 => Urgency::Go,
            1 => Urgency::Drain,
            _ => Urgency::Abort,
        }
    }

    /// Returns when the run is to stop at least this urgently.
    pub async fn reached(&self, urgency: Urgency) {
        let mut watched = self.0.turned.subscribe();
        // The sender lives as long as `self`, so this only ends when the switch is turned.
        if watched.wait_for(|now| *now >= urgency).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A switch that is turned when this one is, as long as the set lives; turned itself, it turns no
    /// other.
    pub(crate) fn follower(&self) -> (Stop, JoinSet<()>) {
        let (one, all) = (Stop::default(), self.clone());
        let turned = one.clone();
        let mut forward = JoinSet::new();
        forward.spawn(async move {
            all.reached(Urgency::Drain).await;
            turned.drain();
            all.reached(Urgency::Abort).await;
            turned.abort();
        });
        (one, forward)
    }

    fn raise(&self, to: Urgency) {
        self.0.level.fetch_max(to as u8, SeqCst);
        self.0.turned.send_if_modified(|now| {
            let higher = to > *now;
            if higher {
                *now = to;
            }
            higher
        });
    }
}
