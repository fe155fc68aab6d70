//! How many requests an endpoint gets at once: more while it keeps up, fewer when it queues.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

const MOST: f64 = 8.0;

/// What a request told about the endpoint's load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Load {
    /// It was served; this share of its time (0 to 1) went by in the server's own queue.
    Served {
        /// Time in the queue by total time.
        queued: f64,
    },
    /// It was turned away, or broke.
    Refused,
}

/// Additive increase, multiplicative decrease, as TCP does it; begins at one request, ends at 8.
///
/// A home server works on one request at a time and lets the others stand in its queue, where
/// they only come nearer to their time limits. So the limit grows only while nothing queues.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    in_flight: u32,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: Mutex::new(State { limit: 1.0, in_flight: 0 }), freed: Notify::new() }
    }
}

impl Gate {
    /// Waits for a place; it is given back when the pass is dropped.
    pub(super) async fn enter(&self) -> Pass<'_> {
        loop {
            let freed = self.freed.notified();
            if self.try_enter() {
                return Pass(self);
            }
            freed.await;
        }
    }

    fn try_enter(&self) -> bool {
        let mut state = self.state();
        let free = f64::from(state.in_flight) + 1.0 <= state.limit;
        state.in_flight += u32::from(free);
        free
    }

    /// Learns from one request.
    pub(super) fn learn(&self, load: Load) {
        let mut state = self.state();
        state.limit = match load {
            Load::Served { queued } if queued < 0.1 => state.limit + 1.0 / state.limit,
            Load::Served { queued } if queued > 0.25 => state.limit - 0.5,
            Load::Served { .. } => state.limit,
            Load::Refused => state.limit / 2.0,
        }
        .clamp(1.0, MOST);
        drop(state);
        self.freed.notify_one();
    }

    /// The present limit, in requests.
    #[cfg(test)]
    pub(super) fn limit(&self) -> f64 {
        self.state().limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at the endpoint.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Gate);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
        self.0.freed.notify_one();
    }
}
