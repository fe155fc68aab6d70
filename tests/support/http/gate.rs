//! How a test and a server thread wait for each other without sleeping.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// How long a test waits for something that must happen before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A value that a test can wait on, without sleeping, while a server thread changes it.
#[derive(Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Watched { value: Mutex::new(value), changed: Condvar::new() }
    }

    /// Looks at the value, or changes it; whoever waits is woken.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let answer = f(&mut self.lock());
        self.changed.notify_all();
        answer
    }

    /// Blocks the calling thread until `reached` holds; panics after 30 seconds.
    pub(crate) fn wait(&self, what: &str, reached: impl Fn(&T) -> bool) {
        let (guard, result) = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, |value| !reached(value))
            .unwrap_or_else(PoisonError::into_inner);
        drop(guard);
        assert!(!result.timed_out(), "waited {PATIENCE:?} in vain for {what}");
    }

    // A failed assertion under the lock must show itself, not a poisoned mutex elsewhere.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds replies until the test lets them go; clones are the same gate.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Turnstile>);

struct Turnstile {
    permits: Semaphore,
    arrived: Watched<usize>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Gate(Arc::new(Turnstile { permits: Semaphore::new(0), arrived: Watched::new(0) }))
    }

    /// Lets `n` through, in order of arrival; those to come count as well.
    pub(crate) fn release(&self, n: usize) {
        self.0.permits.add_permits(n);
    }

    /// Lets everyone through, now and later.
    pub(crate) fn open(&self) {
        self.0.permits.close();
    }

    /// Blocks until `n` replies have reached the gate since it was made.
    pub(crate) fn wait_for_arrivals(&self, n: usize) {
        self.0.arrived.wait(&format!("{n} arrivals at a gate"), |arrived| *arrived >= n);
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.with(|arrived| *arrived += 1);
        // An error means that the gate was opened for good.
        if let Ok(permit) = self.0.permits.acquire().await {
            permit.forget();
        }
    }
}
