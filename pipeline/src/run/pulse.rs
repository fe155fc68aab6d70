//! The pulse of a run: who works on it and how far it is, written down every few seconds for those
//! who look from outside.

use super::live::Live;
use super::report::Pulse;
use crate::Result;
use crate::ledger::runs;
use crate::mill::Owner;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

/// Writes one sign of life.
pub(crate) async fn beat(live: &Live) -> Result<()> {
    last(live, None).await
}

/// Writes the last sign of life, with what the run halted on.
pub(crate) async fn last(live: &Live, halted: Option<String>) -> Result<()> {
    let owner = Owner::me(live.scene.home.clock().now());
    let pulse = Pulse {
        recorded: live.tally.recorded(),
        items: live.before.ends.and(live.tally.counts()),
        steps: live.steps(),
        said: live.scene.said(),
        halted,
        calls: live.calls(),
    };
    let (run_no, text) = (live.run.no, serde_json::to_string(&pulse)?);
    live.ledger().write(text.len(), move |tx| runs::beat(tx, run_no, &owner, &text)).await
}

/// Goes on writing signs of life until the run ends.
pub(crate) fn keep_beating(live: &Arc<Live>) {
    let shared = Arc::downgrade(live);
    live.accompany(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(live) = shared.upgrade() else { return };
            if let Err(error) = beat(&live).await {
                // The run itself meets the same failure at its next write, and says so.
                tracing::debug!(%error, "no sign of life could be written");
                return;
            }
        }
    });
}
