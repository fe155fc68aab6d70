//! Is the mill alive? Who does the work gives a sign of life, and others may ask for the last one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without a sign of life for this long a mill is not well.
const PATIENCE: Duration = Duration::from_secs(90);

/// The last sign of life of a mill; clones share it. It is well from the beginning.
#[derive(Debug, Clone)]
pub struct Health {
    /// By a clock that stands still while the machine sleeps: waking up is no illness.
    last: Arc<Mutex<Instant>>,
    patience: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Well as long as the last sign of life is not older than 90 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_patience(PATIENCE)
    }

    /// Well as long as the last sign of life is not older than this.
    #[must_use]
    pub fn with_patience(patience: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), patience }
    }

    /// Gives a sign of life.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    fn beat_at(&self, now: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Whether the last sign of life is new enough.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.is_well_at(Instant::now())
    }

    fn is_well_at(&self, now: Instant) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(last) < self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(health: &Health) -> Instant {
        *health.last.lock().unwrap()
    }

    #[test]
    fn without_a_sign_of_life_it_is_not_well() {
        let (health, watcher) = {
            let health = Health::new();
            (health.clone(), health)
        };
        let after = |seconds| begun(&health) + Duration::from_secs(seconds);
        let (soon, late, later) = (after(89), after(90), after(149));
        assert!(watcher.is_well_at(soon) && !watcher.is_well_at(late));
        health.beat_at(after(60));
        assert!(watcher.is_well_at(later), "a clone's sign of life counts");
        health.beat();
        assert!(watcher.is_well());
    }
}
