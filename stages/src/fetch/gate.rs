//! The gate of each host: one request at a time, a pause in between, longer when the host asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidemill_pipeline::Context;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

/// No host is waited for longer than this between two requests.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Turn<Host>>>>);

#[derive(Debug, Default)]
struct Host {
    next: Option<Instant>,
    /// What the host made us slow down to; halves again when it answers well.
    slowed: Duration,
}

/// The right to ask a host one thing. Leaving starts the pause.
#[derive(Debug)]
pub(super) struct Pass {
    host: OwnedMutexGuard<Host>,
    delay: Duration,
    asked: Option<Duration>,
}

impl Gates {
    /// Waits for the host's turn and its pause; `None` when the run is to stop.
    pub(super) async fn enter(&self, host: &str, delay: Duration, cx: &Context) -> Option<Pass> {
        let turn = {
            let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(host.to_string()).or_default())
        };
        let host = turn.lock_owned().await;
        if let Some(wait) = host.next.map(|next| next.saturating_duration_since(Instant::now()))
            && !wait.is_zero()
        {
            cx.sleep(wait).await;
        }
        if cx.stopping() {
            return None;
        }
        Some(Pass { host, delay, asked: None })
    }
}

impl Pass {
    /// The host is overloaded: it gets twice the pause, or what it asked for.
    pub(super) fn slow_down(&mut self, asked: Option<Duration>) {
        let base = self.host.slowed.max(self.delay).max(Duration::from_millis(250));
        self.host.slowed = (base * 2).min(LONGEST);
        self.asked = asked;
    }

    /// The host answered well.
    pub(super) fn went_well(&mut self) {
        self.host.slowed /= 2;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let pause = self.asked.unwrap_or_default().max(self.host.slowed).max(self.delay);
        self.host.next = Some(Instant::now() + pause.min(LONGEST));
    }
}
