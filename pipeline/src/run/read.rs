//! The head of the flow: recorded items first, then what the source still has to say.

use super::emit::Emit;
use super::flow::{BUFFER, Flow};
use super::live::Live;
use super::stop::Urgency;
use crate::ledger::{items, runs};
use crate::{Context, Envelope, Error, Item, Result, Source, Verdict};
use std::sync::Arc;
use tokio::sync::mpsc;

const PAGE: u32 = 256;

/// Starts the reading task.
pub(crate) fn start<S: Source>(live: &Arc<Live>, source: Arc<S>) -> Flow<S::Item> {
    let (out, flow) = mpsc::channel(BUFFER);
    let shared = Arc::clone(live);
    live.spawn(async move {
        let read = read(&shared, source.as_ref(), out).await;
        read.map_err(|error| error.context(format!("read {}", source.name())))
    });
    flow
}

async fn read<S: Source>(
    live: &Arc<Live>,
    source: &S,
    out: mpsc::Sender<Envelope<S::Item>>,
) -> Result<()> {
    if !replay_recorded(live, &out).await? || live.run.source_done {
        return Ok(());
    }
    let emit = Emit { live: Arc::clone(live), out, source: source.name().to_string() };
    let cx = Context::of_run(live);
    let reading = super::flow::guarded(source.read(&emit, &cx));
    tokio::select! {
        biased;
        () = live.scene.stop.reached(Urgency::Abort) => return Ok(()),
        read = reading => read.map_err(|e| e.with_verdict(Verdict::Halt))?,
    }
    if live.scene.stop.urgency() > Urgency::Go {
        return Ok(()); // it was told to stop; the next run asks it again
    }
    let run_no = live.run.no;
    live.ledger().write(64, move |tx| runs::set_source_done(tx, run_no)).await
}

/// Sends the items that the run has recorded but not settled. False when the run is to stop.
async fn replay_recorded<T: Item>(live: &Live, out: &mpsc::Sender<Envelope<T>>) -> Result<bool> {
    let (run_no, last) = (live.run.no, live.resumed_to);
    let mut after = 0;
    while after < last {
        let page =
            live.ledger().read(move |read| items::open_after(read, run_no, after, PAGE)).await?;
        let Some(end) = page.last().map(|recorded| recorded.seq) else { break };
        for recorded in page {
            let item = serde_json::from_slice(&recorded.item.unwrap_or_default()).map_err(|e| {
                Error::halt(format!("the recorded item {} has another shape now", recorded.key))
                    .because("item_changed")
                    .caused_by(e)
                    .help("the item's type changed in the middle of a run: undo the change and let the run finish first")
            })?;
            let envelope = Envelope { seq: recorded.seq, key: Arc::from(recorded.key), item };
            if out.send(envelope).await.is_err() {
                return Ok(false);
            }
        }
        after = end;
    }
    Ok(live.scene.stop.urgency() == Urgency::Go)
}
