//! A channel that is bounded by count and by bytes at once, and knows how long it was full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// What is taken from the queue at once.
const BATCH: usize = 128;

/// The room of a channel: each value takes one place for every `unit` of bytes that it begins.
///
/// One count for both bounds: `places` small values fill it, and so do `places × unit` bytes. A
/// value that is larger than the whole room passes when the room is empty.
#[derive(Debug)]
pub(crate) struct Room {
    free: Semaphore,
    places: u32,
    unit: usize,
    full_nanos: AtomicU64,
}

impl Room {
    fn weight(&self, bytes: usize) -> u32 {
        let units = u32::try_from(bytes / self.unit).unwrap_or(u32::MAX);
        units.saturating_add(1).min(self.places)
    }

    /// How long senders have waited in all because the channel was full.
    pub(crate) fn full(&self) -> Duration {
        Duration::from_nanos(self.full_nanos.load(Relaxed))
    }
}

/// The receiving side is gone.
#[derive(Debug)]
pub(crate) struct Closed;

/// The sending side; clones send into the same channel.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    queue: mpsc::UnboundedSender<(T, u32)>,
    room: Arc<Room>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), room: Arc::clone(&self.room) }
    }
}

/// The receiving side.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    queue: mpsc::UnboundedReceiver<(T, u32)>,
    taken: Vec<(T, u32)>,
    ready: VecDeque<(T, u32)>,
    /// Places of values that were handed out and are not given back yet.
    owed: u32,
    room: Arc<Room>,
}

/// A channel for `places` values, or for `places × unit` bytes of them.
pub(crate) fn channel<T>(places: u32, unit: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, queue) = mpsc::unbounded_channel();
    let room = Arc::new(Room {
        free: Semaphore::new(places as usize),
        places,
        unit,
        full_nanos: AtomicU64::new(0),
    });
    let receiver = Receiver {
        queue,
        taken: Vec::new(),
        ready: VecDeque::new(),
        owed: 0,
        room: Arc::clone(&room),
    };
    (Sender { queue: sender, room }, receiver)
}

impl<T> Sender<T> {
    /// Sends a value of about this many bytes; waits while the channel is full.
    pub(crate) async fn send(&self, value: T, bytes: usize) -> Result<(), Closed> {
        let weight = self.room.weight(bytes);
        let permit = match self.room.free.try_acquire_many(weight) {
            Ok(permit) => permit,
            Err(_) => {
                let since = Instant::now();
                let permit = self.room.free.acquire_many(weight).await.map_err(|_| Closed)?;
                let waited = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.room.full_nanos.fetch_add(waited, Relaxed);
                permit
            }
        };
        permit.forget();
        self.queue.send((value, weight)).map_err(|_| Closed)
    }

    /// The room, for who wants to know how full it was.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Counts the senders without being one.
    pub(crate) fn census(&self) -> Census<T> {
        Census(self.queue.downgrade())
    }
}

/// A look at how many senders there are.
#[derive(Debug)]
pub(crate) struct Census<T>(mpsc::WeakUnboundedSender<(T, u32)>);

impl<T> Census<T> {
    /// How many senders there are.
    pub(crate) fn senders(&self) -> usize {
        self.0.strong_count()
    }
}

impl<T> Receiver<T> {
    /// The next value, or `None` when all senders are gone.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        if self.ready.is_empty() {
            self.give_back();
            if self.queue.recv_many(&mut self.taken, BATCH).await == 0 {
                return None;
            }
            self.ready.extend(self.taken.drain(..));
        }
        self.hand_out()
    }

    /// The next value if there is one now.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        while self.ready.len() < BATCH
            && let Ok(next) = self.queue.try_recv()
        {
            self.ready.push_back(next);
        }
        let next = self.hand_out();
        if next.is_none() {
            self.give_back();
        }
        next
    }

    /// As [`recv`](Receiver::recv), for a thread of its own.
    pub(crate) fn blocking_recv(&mut self) -> Option<T> {
        if self.ready.is_empty() {
            self.give_back();
            self.ready.push_back(self.queue.blocking_recv()?);
        }
        self.hand_out()
    }

    fn hand_out(&mut self) -> Option<T> {
        let (value, weight) = self.ready.pop_front()?;
        self.owed += weight;
        // In bundles: each return of places takes a lock and may wake a sender.
        if self.owed >= self.room.places / 4 {
            self.give_back();
        }
        Some(value)
    }

    fn give_back(&mut self) {
        if self.owed > 0 {
            self.room.free.add_permits(self.owed as usize);
            self.owed = 0;
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.room.free.close(); // wakes senders that wait for room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn it_is_full_by_count_and_by_bytes_and_lets_a_giant_pass_alone() {
        let (sender, mut receiver) = channel(4, 10);
        for n in 0..4 {
            sender.send(n, 1).await.unwrap();
        }
        assert!(sender.send(4, 1).now_or_never().is_none(), "full by count");
        assert_eq!(receiver.recv().await, Some(0));
        sender.send(4, 1).await.unwrap();
        for n in 1..5 {
            assert_eq!(receiver.recv().await, Some(n));
        }
        assert_eq!(receiver.try_recv(), None);
        sender.send(5, 1_000_000).await.unwrap();
        assert!(sender.send(6, 0).now_or_never().is_none(), "full by bytes");
        assert_eq!(receiver.recv().await, Some(5));
        sender.send(6, 0).await.unwrap();
        drop(receiver);
        assert!(sender.send(7, 1_000_000).await.is_err());
    }

    #[tokio::test]
    async fn it_knows_that_it_was_full() {
        let (sender, mut receiver) = channel(1, 10);
        sender.send(1, 0).await.unwrap();
        let room = Arc::clone(sender.room());
        let waiting = tokio::spawn(async move { sender.send(2, 0).await.is_ok() });
        tokio::task::yield_now().await;
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, Some(2));
        assert!(waiting.await.unwrap());
        assert!(room.full() > Duration::ZERO);
    }
}
