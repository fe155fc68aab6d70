//! A clock with a wall and a pulse, as a machine has: the wall can be set and runs on in sleep, the
//! pulse cannot and does not. Nobody wakes but by the pulse.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemill_pipeline::clock::Clock;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Wall {
    wall: Mutex<DateTime<Utc>>,
    pulse: watch::Sender<Duration>,
}

impl Wall {
    pub(super) fn at(text: &str) -> Arc<Self> {
        let (wall, pulse) = (Mutex::new(text.parse().unwrap()), watch::Sender::default());
        Arc::new(Self { wall, pulse })
    }

    /// Time passes while the machine is awake.
    pub(super) fn pass(&self, span: TimeDelta) {
        self.shift(span);
        self.pulse.send_modify(|pulse| *pulse += span.to_std().unwrap());
    }

    /// The wall clock is set, or the machine sleeps: nobody's pulse goes on.
    pub(super) fn shift(&self, by: TimeDelta) {
        *self.wall.lock().unwrap() += by;
    }
}

impl Clock for Wall {
    fn now(&self) -> DateTime<Utc> {
        *self.wall.lock().unwrap()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let mut pulse = self.pulse.subscribe();
        let until = *pulse.borrow() + span;
        Box::pin(async move {
            // The clock outlives whoever sleeps by it, unless the test is over.
            let _ = pulse.wait_for(|now| *now >= until).await;
        })
    }
}
