//! Where items end: the ledger row and the progress event of each.

use super::live::Live;
use super::progress::Event;
use crate::ledger::{ItemState, items};
use crate::{Error, Result, Verdict};

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
            passing: error.is_passing(),
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
        self.tell(state, key, reason.as_deref());
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
        self.tell(ItemState::Unchanged, key, None);
        Ok(())
    }

    /// Tells the progress where an item ended.
    pub(crate) fn tell(&self, state: ItemState, key: &str, reason: Option<&str>) {
        self.scene.progress.event(&Event::Settled { state, key, reason });
    }
}
