//! Retries: how often, and how long to wait in between.

use crate::Fingerprint;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// The pause after a failed attempt (1, 2, …): what was asked for, else doubling with jitter.
///
/// The jitter comes from the item's key, so that a run is the same when it is repeated and two
/// items still do not knock at the same moment.
pub(crate) fn pause(attempt: u32, asked: Option<Duration>, key: &str) -> Duration {
    if let Some(asked) = asked {
        return asked.min(Duration::from_secs(3600));
    }
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST);
    let byte = Fingerprint::of(&(key, attempt)).as_bytes()[0];
    doubled.mul_f64(0.75 + f64::from(byte) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_stay_bounded_and_honour_what_was_asked() {
        assert!(pause(1, None, "a") < pause(3, None, "a"));
        assert!(pause(40, None, "a") <= LONGEST.mul_f64(1.25));
        assert_eq!(pause(1, Some(Duration::from_secs(7)), "a"), Duration::from_secs(7));
        assert_ne!(pause(2, None, "a"), pause(2, None, "b"));
    }
}
