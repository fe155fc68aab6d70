//! Right of way: replays work while no other run is at work, and give way when one begins.

use crate::run::Stop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who has the right of way in a home.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    traffic: Mutex<Traffic>,
    /// Rung when the last run that goes first has ended.
    clear: Notify,
}

#[derive(Debug, Default)]
struct Traffic {
    /// Runs that are at work, or wait for their turn, and are no replays.
    first: u32,
    /// The switches of replays at work.
    replays: Vec<Stop>,
}

/// A run that goes first.
#[derive(Debug)]
pub(crate) struct First(Arc<Lane>);

impl Lane {
    /// A run begins, or waits for its turn: replays finish what is in hand and make room.
    pub(crate) fn first(self: &Arc<Self>) -> First {
        let mut traffic = self.traffic();
        traffic.first += 1;
        traffic.replays.drain(..).for_each(|replay| replay.drain());
        First(Arc::clone(self))
    }

    /// A replay begins that is stopped by this switch as soon as another run wants to work.
    pub(crate) fn give_way(&self, replay: Stop) {
        let mut traffic = self.traffic();
        if traffic.first > 0 {
            return replay.drain();
        }
        traffic.replays.push(replay);
    }

    /// Returns when no run is at work that goes first.
    pub(crate) async fn is_clear(&self) {
        loop {
            let rung = self.clear.notified();
            if self.traffic().first == 0 {
                return;
            }
            rung.await;
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for First {
    fn drop(&mut self) {
        let mut traffic = self.0.traffic();
        traffic.first -= 1;
        if traffic.first == 0 {
            self.0.clear.notify_waiters();
        }
    }
}
