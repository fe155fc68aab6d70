//! The head of the flow: recorded items first, then what the source still has to say.

use super::emit::Emit;
use super::entry;
use super::flow::{Flow, Out};
use super::live::Live;
use super::progress::Event;
use super::stop::Urgency;
use super::work::guarded;
use crate::ledger::runs;
use crate::{Context, Result, Source, Verdict};
use std::sync::Arc;

/// Starts the reading task.
pub(crate) fn start<S: Source>(live: &Arc<Live>, source: Arc<S>) -> Flow<S::Item> {
    let (out, flow) = live.lane(0);
    let shared = Arc::clone(live);
    live.spawn(async move {
        let read = read(&shared, source.as_ref(), out).await;
        shared.scene.progress.event(&Event::SourceDone);
        read.map_err(|error| error.context(format!("read {}", source.name())))
    });
    flow
}

async fn read<S: Source>(live: &Arc<Live>, source: &S, out: Out<S::Item>) -> Result<()> {
    // The keys are needed once the source speaks; they are read while the recorded items go first.
    let ahead = Arc::clone(live);
    live.accompany(async move {
        if let Err(error) = ahead.keys().await {
            tracing::debug!(%error, "the run's keys will be read again when they are needed");
        }
    });
    if !entry::again(live, 0, &out).await? || live.run.source_done {
        return Ok(());
    }
    let emit = Emit { live: Arc::clone(live), out, source: source.name().to_string() };
    let cx = Context::of_run(live);
    if let Some(trial) = &live.trial {
        let yielded = source.single(&trial.what, &cx).await?;
        return emit.send(yielded).await.map(|_| ());
    }
    let reading = guarded(source.read(&emit, &cx));
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
