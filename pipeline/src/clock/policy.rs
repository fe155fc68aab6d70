//! Policies: what becomes of a time that was missed, of one that comes while a run is at work, and
//! of a run that fails.

use super::{Schedule, Zone};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What becomes of times at which nobody was there to run anything: the machine slept, the program
/// did not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are over.
    None,
    /// One run makes up for all of them, in the name of the last.
    #[default]
    Last,
    /// Each gets its run, in order: the newest `max` of those that are not older than `window`.
    All {
        /// At most so many.
        max: u32,
        /// Not older than this.
        window: Duration,
    },
}

/// What becomes of a time that comes while a run of the same pipeline is at work. Runs of one
/// pipeline share its tables and its memory, so they never work side by side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is let go.
    #[default]
    Skip,
    /// One waits for its turn; those that come while one waits are let go.
    Queue,
    /// Each gets its run, one behind the other, however many wait.
    Allow,
}

/// How a schedule treats what does not go as planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For missed times.
    pub catch_up: CatchUp,
    /// For times that come while a run is at work.
    pub overlap: Overlap,
    /// A run begins up to this much later; how much, the pipeline's name tells, always the same.
    pub jitter: Duration,
    /// A run that takes longer is stopped; the next one goes on with it.
    pub timeout: Option<Duration>,
    /// How often a run that failed is tried again before the next time comes.
    pub retries: u32,
    /// The pause before the first of these; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            catch_up: CatchUp::default(),
            overlap: Overlap::default(),
            jitter: Duration::ZERO,
            timeout: None,
            retries: 2,
            pause: Duration::from_secs(300),
        }
    }
}

impl Policy {
    /// The pause before the next try of a run that failed so many times.
    #[must_use]
    pub fn pause_after(&self, tries: u32) -> Duration {
        self.pause.saturating_mul(1 << tries.saturating_sub(1).min(10))
    }

    /// How much later than its times this pipeline begins: the same at each run, other pipelines
    /// otherwise.
    #[must_use]
    pub fn delay(&self, pipeline: &str) -> Duration {
        let most = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let hash = crate::Fingerprint::of(&pipeline);
        let first = hash.as_bytes().iter().take(8).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        Duration::from_millis(first.checked_rem(most).unwrap_or(0))
    }
}

/// When a pipeline runs, and what becomes of times that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Its times.
    pub schedule: Schedule,
    /// The zone that they are meant in.
    pub zone: Zone,
    /// The rest.
    pub policy: Policy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_below_its_bound_the_same_each_time_and_others_have_another() {
        let policy = Policy { jitter: Duration::from_secs(600), ..Policy::default() };
        assert!(policy.delay("news") < policy.jitter);
        assert_eq!(policy.delay("news"), policy.delay("news"));
        assert_ne!(policy.delay("news"), policy.delay("weather"));
        assert_eq!(Policy::default().delay("news"), Duration::ZERO);
    }

    #[test]
    fn pauses_double() {
        let policy = Policy { pause: Duration::from_secs(10), ..Policy::default() };
        assert_eq!([1, 2, 3].map(|n| policy.pause_after(n).as_secs()), [10, 20, 40]);
        assert_eq!(policy.pause_after(99).as_secs(), 10 << 10);
    }
}
