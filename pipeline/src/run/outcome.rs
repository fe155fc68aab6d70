//! Where items end: the ledger row, the counters and the progress event of each.

use super::live::Live;
use super::progress::Event;
use super::report::Counts;
use crate::ledger::{ItemState, items};
use crate::{Error, Result, Verdict};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The counters of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    done: AtomicU64,
    unchanged: AtomicU64,
    waiting: AtomicU64,
    parked: AtomicU64,
    pub(crate) calls_made: AtomicU64,
    pub(crate) calls_remembered: AtomicU64,
    reasons: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    fn count(&self, state: ItemState, reason: Option<&str>) {
        let counter = match state {
            ItemState::Done => &self.done,
            ItemState::Unchanged => &self.unchanged,
            ItemState::Waiting => &self.waiting,
            ItemState::Parked => &self.parked,
            ItemState::Open | ItemState::Carried => return,
        };
        counter.fetch_add(1, Relaxed);
        if let Some(reason) = reason {
            let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            *reasons.entry(reason.to_string()).or_default() += 1;
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            done: self.done.load(Relaxed),
            unchanged: self.unchanged.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            parked: self.parked.load(Relaxed),
        }
    }

    pub(crate) fn reasons(&self) -> Vec<(String, u64)> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.iter().map(|(reason, count)| (reason.clone(), *count)).collect()
    }
}

impl Live {
    /// The item is through.
    pub(crate) async fn done(&self, seq: u64, key: &str) -> Result<()> {
        self.end(seq, key, ItemState::Done, None).await
    }

    /// The item did not get through; what that means is the error's verdict.
    pub(crate) async fn setback(
        &self,
        seq: u64,
        key: &str,
        stage: &str,
        error: Error,
    ) -> Result<()> {
        if error.says_unchanged() {
            return self.unchanged_item(seq, key).await;
        }
        let state = match error.verdict() {
            Verdict::Halt => return Err(error.context(format!("{stage}, item {key}"))),
            Verdict::Wait => ItemState::Waiting,
            Verdict::Park | Verdict::Retry { .. } => ItemState::Parked,
        };
        tracing::debug!(stage, key, %error, "item did not get through");
        let setback = items::Setback {
            stage: stage.to_string(),
            reason: error.reason().to_string(),
            message: error.message(),
            help: error.guidance().map(str::to_string),
        };
        self.end(seq, key, state, Some(setback)).await
    }

    async fn end(
        &self,
        seq: u64,
        key: &str,
        state: ItemState,
        setback: Option<items::Setback>,
    ) -> Result<()> {
        let reason = setback.as_ref().map(|s| s.reason.clone());
        let run_no = self.run.no;
        self.ledger()
            .write(128, move |tx| items::settle(tx, run_no, seq, state, setback.as_ref()))
            .await?;
        self.count(state, key, reason.as_deref());
        Ok(())
    }

    async fn unchanged_item(&self, seq: u64, key: &str) -> Result<()> {
        let (run_no, now, owned) = (self.run.no, self.now_millis(), key.to_string());
        self.ledger()
            .write(128, move |tx| {
                items::settle(tx, run_no, seq, ItemState::Unchanged, None)?;
                items::observation(tx, run_no, &owned, None, now)
            })
            .await?;
        self.count(ItemState::Unchanged, key, None);
        Ok(())
    }

    /// Counts an end and tells the progress.
    pub(crate) fn count(&self, state: ItemState, key: &str, reason: Option<&str>) {
        self.scene.tally.count(state, reason);
        self.scene.progress.event(&Event::Settled { state, key, reason });
    }
}
