//! Where items end: the ledger row and the progress event of each.

use super::live::Live;
use super::progress::Event;
use crate::ledger::{ItemState, items};
use crate::{Error, Result, Verdict};
use std::sync::Arc;

impl Live {
    /// These items are through.
    pub(crate) async fn done(&self, through: &[(u64, Arc<str>)]) -> Result<()> {
        let seqs: Vec<u64> = through.iter().map(|(seq, _)| *seq).collect();
        let (run_no, bytes) = (self.run.no, 64 * seqs.len());
        self.ledger()
            .write(bytes, move |tx| items::through(tx, run_no, &seqs, ItemState::Done))
            .await?;
        through.iter().for_each(|(_, key)| self.tell(ItemState::Done, key, None));
        Ok(())
    }

    /// The item did not get through; what that means is the error's verdict.
    pub(crate) async fn setback(
        &self,
        seq: u64,
        key: &str,
        stage: &str,
        error: Error,
    ) -> Result<()> {
        if error.says_unchanged() || self.is_dropped(key, &error) {
            let run_no = self.run.no;
            self.ledger()
                .write(64, move |tx| items::through(tx, run_no, &[seq], ItemState::Unchanged))
                .await?;
            self.tell(ItemState::Unchanged, key, None);
            return Ok(());
        }
        if let Some(trial) = &self.trial {
            trial.failed(stage, &error);
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
            passing: error.is_passing(),
        };
        let run_no = self.run.no;
        self.ledger().write(256, move |tx| items::settle(tx, run_no, seq, state, &setback)).await?;
        self.tell(state, key, Some(error.reason()));
        if state == ItemState::Parked {
            let no = self.blueprint.nodes.iter().position(|node| node.name == stage).unwrap_or(0);
            self.tally.failed(no, stage, &error)?;
        }
        Ok(())
    }

    /// Whether a person has dropped the item for just this reason, and does not want to hear of it.
    fn is_dropped(&self, key: &str, error: &Error) -> bool {
        let parks = matches!(error.verdict(), Verdict::Park | Verdict::Retry { .. });
        parks && self.before.dropped.get(key).is_some_and(|reason| reason == error.reason())
    }

    /// Tells the progress where an item ended.
    pub(crate) fn tell(&self, state: ItemState, key: &str, reason: Option<&str>) {
        self.tally.settle(state);
        self.scene.progress.event(&Event::Settled { state, key, reason });
    }
}
