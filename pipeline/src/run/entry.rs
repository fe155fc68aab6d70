//! Where items enter the flow: recorded before they are worked on, and put in again by a resumed run.

use super::flow::{Flow, Out, next, pass};
use super::live::Live;
use super::stop::Urgency;
use crate::item::{MAX_BYTES, too_large};
use crate::ledger::ItemState;
use crate::ledger::items::{self, Recorded};
use crate::{Envelope, Error, Item, Result, ResultExt};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const PAGE: u32 = 256;

/// Puts in the items that the run has recorded at this entry (0: the source) but not settled.
/// False when the run is to stop.
pub(crate) async fn again<T: Item>(live: &Arc<Live>, entry: usize, out: &Out<T>) -> Result<bool> {
    let (run_no, last) = (live.run.no, live.resumed_to);
    let mut after = 0;
    while after < last {
        let page = live
            .ledger()
            .read(move |read| items::open_after(read, run_no, entry, after, PAGE))
            .await?;
        let Some(end) = page.last().map(|recorded| recorded.seq) else { break };
        for recorded in page.into_iter().filter(|recorded| recorded.seq <= last) {
            live.tally.record();
            let bytes = recorded.item.as_ref().map_or(0, Vec::len);
            let item = match read_back(&recorded) {
                Ok(item) => item,
                Err(error) => {
                    live.setback(recorded.seq, &recorded.key, live.blueprint.name_of(entry), error)
                        .await?;
                    continue;
                }
            };
            let envelope =
                Envelope { seq: recorded.seq, key: Arc::from(recorded.key), item, bytes };
            if !pass(out, envelope).await {
                return Ok(false);
            }
        }
        after = end;
    }
    Ok(live.scene.stop.urgency() == Urgency::Go)
}

fn read_back<T: Item>(recorded: &Recorded) -> Result<T> {
    serde_json::from_slice(recorded.item.as_deref().unwrap_or_default()).map_err(|e| {
        Error::park("the recorded item has another shape than the pipeline's items now")
            .because("item_changed")
            .caused_by(e)
            .help("the item's type changed since it was recorded: undo the change and retry it, or drop it")
    })
}

/// The next place in the run.
pub(crate) fn take_seq(live: &Live) -> u64 {
    live.next_seq.fetch_add(1, Relaxed) + 1
}

/// An item that a step made, as it is recorded.
fn derived<T: Item>(live: &Live, key: String, item: &T) -> Result<Recorded> {
    let bytes = serde_json::to_vec(item).or_park().doing("the item has no JSON form")?;
    if bytes.len() > MAX_BYTES {
        return Err(too_large(bytes.len()));
    }
    Ok(Recorded {
        seq: take_seq(live),
        key,
        item: Some(bytes),
        content: None,
        note: None,
        state: ItemState::Open,
        dt: None,
    })
}

/// A step whose items are recorded: those that it had go first, then `work` makes new ones.
fn entering<T: Item, F>(
    live: &Arc<Live>,
    no: usize,
    work: impl FnOnce(Arc<Live>, Out<T>) -> F + Send + 'static,
) -> Flow<T>
where
    F: Future<Output = Result<()>> + Send,
{
    let (out, flow) = live.lane(no);
    let shared = Arc::clone(live);
    live.spawn(async move {
        if again(&shared, no, &out).await? { work(shared, out).await } else { Ok(()) }
    });
    flow
}

/// Lets each list go on as its items, one by one; the n-th gets the list's key with `#n` behind it.
pub(crate) fn split<T: Item>(live: &Arc<Live>, mut input: Flow<Vec<T>>, no: usize) -> Flow<T> {
    entering(live, no, move |live, out| async move {
        while let Some(list) = next(&live, &mut input).await {
            let (seq, key) = (list.seq, Arc::clone(&list.key));
            let parts = list.item.into_iter().enumerate();
            let recorded: Result<Vec<_>> = parts
                .map(|(n, part)| Ok((derived(&live, format!("{key}#{}", n + 1), &part)?, part)))
                .collect();
            match recorded {
                Ok(parts) if parts.is_empty() => live.done(&[(seq, key)]).await?,
                Ok(parts) => {
                    if !go_on(&live, no, vec![seq], ItemState::Split, parts, &out).await? {
                        return Ok(());
                    }
                }
                Err(error) => live.setback(seq, &key, live.blueprint.name_of(no), error).await?,
            }
        }
        Ok(())
    })
}

/// Lets every `size` items go on as one list; what is left at the end goes on as a shorter one.
/// Its key is that of its first item, with the number of the others behind it.
pub(crate) fn merge<T: Item>(
    live: &Arc<Live>,
    mut input: Flow<T>,
    no: usize,
    size: usize,
) -> Flow<Vec<T>> {
    entering(live, no, move |live, out| async move {
        let mut members: Vec<Envelope<T>> = Vec::with_capacity(size);
        loop {
            let envelope = next(&live, &mut input).await;
            let ended = envelope.is_none();
            members.extend(envelope);
            // A list that is not full stays open when the run is to stop: its items come again.
            let stops = live.scene.stop.urgency() > Urgency::Go;
            if (members.len() >= size || ended) && !members.is_empty() && !stops {
                let full = std::mem::take(&mut members);
                if !chunk(&live, no, full, &out).await? {
                    return Ok(());
                }
            }
            if ended {
                return Ok(());
            }
        }
    })
}

async fn chunk<T: Item>(
    live: &Arc<Live>,
    no: usize,
    members: Vec<Envelope<T>>,
    out: &Out<Vec<T>>,
) -> Result<bool> {
    let seqs: Vec<u64> = members.iter().map(|member| member.seq).collect();
    let keys: Vec<Arc<str>> = members.iter().map(|member| Arc::clone(&member.key)).collect();
    let first = keys.first().map_or("", |key| key);
    let key = format!("{first}+{}", keys.len().saturating_sub(1));
    let list: Vec<T> = members.into_iter().map(|member| member.item).collect();
    match derived(live, key, &list) {
        Ok(recorded) => go_on(live, no, seqs, ItemState::Merged, vec![(recorded, list)], out).await,
        Err(error) => {
            for (seq, key) in seqs.iter().zip(&keys) {
                let error = error.told_again();
                live.setback(*seq, key, live.blueprint.name_of(no), error).await?;
            }
            Ok(true)
        }
    }
}

/// Records what goes on in the place of these items, in one write with their end, and passes it on.
async fn go_on<T: Item>(
    live: &Arc<Live>,
    no: usize,
    ended: Vec<u64>,
    state: ItemState,
    parts: Vec<(Recorded, T)>,
    out: &Out<T>,
) -> Result<bool> {
    let (run_no, archived) = (live.run.no, live.replaying.is_some());
    let rows: Vec<Recorded> = parts.iter().map(|(recorded, _)| recorded.clone()).collect();
    let bytes = rows.iter().map(|row| row.item.as_ref().map_or(0, Vec::len) + 128).sum();
    live.ledger()
        .write(bytes, move |tx| {
            rows.iter().try_for_each(|row| items::record(tx, run_no, no, row))?;
            if archived {
                items::inherit_date(tx, run_no, &ended, &rows)?;
            }
            items::through(tx, run_no, &ended, state)
        })
        .await?;
    for (recorded, item) in parts {
        let bytes = recorded.item.map_or(0, |item| item.len());
        live.look(no, &item)?;
        let key = Arc::from(recorded.key);
        if !pass(out, Envelope { seq: recorded.seq, key, item, bytes }).await {
            return Ok(false);
        }
    }
    Ok(true)
}
