//! What each step did and how long it took: counts, and times in buckets that grow by a quarter.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Four buckets for each doubling, from a microsecond to about eighteen minutes.
const BUCKETS: usize = 120;

/// The times of one step, counted by many tasks at once.
#[derive(Debug)]
pub(crate) struct Times {
    buckets: Vec<AtomicU64>,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

/// What a step did in a run so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// Items that it finished, whatever came of them.
    pub items: u64,
    /// Half of them took no longer than this, in milliseconds (to within a fifth).
    pub p50_ms: f64,
    /// 95 of 100 took no longer than this, in milliseconds (to within a fifth).
    pub p95_ms: f64,
    /// How long the way to the next step was full, in milliseconds: the next one was the slower.
    pub full_ms: u64,
}

impl Times {
    /// Counts one item.
    pub(crate) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(micros)) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// The counts as they are now.
    pub(crate) fn report(&self, name: &str, full: Duration) -> StepReport {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        StepReport {
            name: name.to_string(),
            items: counts.iter().sum(),
            p50_ms: quantile(&counts, 0.50),
            p95_ms: quantile(&counts, 0.95),
            full_ms: u64::try_from(full.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The bucket of a time: four for each doubling.
fn bucket_of(micros: u64) -> usize {
    let micros = micros.max(1);
    let doublings = micros.ilog2();
    let quarter = if doublings >= 2 { (micros >> (doublings - 2)) & 3 } else { 0 };
    (doublings as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The upper edge of a bucket, in microseconds.
fn edge(bucket: usize) -> f64 {
    let (doublings, quarter) = (bucket / 4, bucket % 4);
    let base = 2_f64.powi(i32::try_from(doublings).unwrap_or(i32::MAX));
    base * (1.0 + (quarter as f64 + 1.0) / 4.0)
}

fn quantile(counts: &[u64], share: f64) -> f64 {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return 0.0;
    }
    let wanted = (all as f64 * share).ceil();
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen as f64 >= wanted {
            return (edge(bucket) / 10.0).round() / 100.0;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_quarter() {
        let times = Times::default();
        for ms in 1..=100 {
            times.add(Duration::from_millis(ms));
        }
        let report = times.report("work", Duration::from_millis(7));
        assert_eq!((report.items, report.full_ms), (100, 7));
        assert!((50.0..=63.0).contains(&report.p50_ms), "{report:?}");
        assert!((95.0..=119.0).contains(&report.p95_ms), "{report:?}");
    }

    #[test]
    fn nothing_and_very_long_are_no_trouble() {
        assert_eq!(Times::default().report("idle", Duration::ZERO).p95_ms, 0.0);
        let times = Times::default();
        times.add(Duration::from_secs(1_000_000));
        assert!(times.report("slow", Duration::ZERO).p50_ms > 0.0);
    }
}
