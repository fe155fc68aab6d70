//! Right of way: replays work while no other run is at work, and give way when one begins.

use crate::run::Stop;
use std::collections::{HashMap, HashSet};
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
    /// Pipelines that are replayed, at work or making room.
    replayed: HashSet<String>,
    /// How often the replays of a pipeline were given up.
    given_up: HashMap<String, u64>,
}

/// A run that goes first.
#[derive(Debug)]
pub(crate) struct First(Arc<Lane>);

/// The one replay of a pipeline.
#[derive(Debug)]
pub(crate) struct Alone(Arc<Lane>, String);

impl Lane {
    /// Begins to replay a pipeline, unless somebody does so already.
    pub(crate) fn replays(self: &Arc<Self>, pipeline: &str) -> Option<Alone> {
        let new = self.traffic().replayed.insert(pipeline.to_string());
        new.then(|| Alone(Arc::clone(self), pipeline.to_string()))
    }

    /// Whether a replay of a pipeline is at work, or makes room.
    pub(crate) fn is_replayed(&self, pipeline: &str) -> bool {
        self.traffic().replayed.contains(pipeline)
    }

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

    /// The replays of a pipeline are given up: one that made room does not go on.
    pub(crate) fn give_up(&self, pipeline: &str) {
        *self.traffic().given_up.entry(pipeline.to_string()).or_default() += 1;
    }

    /// How often that was.
    pub(crate) fn given_up(&self, pipeline: &str) -> u64 {
        self.traffic().given_up.get(pipeline).copied().unwrap_or_default()
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

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.traffic().replayed.remove(&self.1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::stop::Urgency;

    #[tokio::test]
    async fn a_replay_makes_room_and_waits_until_nobody_else_is_at_work() {
        let lane = Arc::new(Lane::default());
        let (replay, late) = (Stop::default(), Stop::default());
        lane.give_way(replay.clone());
        assert_eq!(replay.urgency(), Urgency::Go);
        let (one, two) = (lane.first(), lane.first());
        assert_eq!(replay.urgency(), Urgency::Drain);
        lane.give_way(late.clone());
        assert_eq!(late.urgency(), Urgency::Drain, "another run came first");
        drop(one);
        let waiting = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.is_clear().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(two);
        waiting.await.unwrap();
        lane.give_way(Stop::default());
        assert_eq!((lane.given_up("news"), lane.given_up("other")), (0, 0));
        lane.give_up("news");
        assert_eq!((lane.given_up("news"), lane.given_up("other")), (1, 0));
        let alone = lane.replays("news").unwrap();
        assert!(lane.replays("news").is_none() && lane.replays("other").is_some());
        drop(alone);
        assert!(!lane.is_replayed("news"));
    }
}
