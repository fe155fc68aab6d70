//! What `store` and `save` do with items: stage their rows, spool them for the run's files.

use crate::item::{MAX_BYTES, too_large};
use crate::ledger::params;
use crate::run::live::Live;
use crate::sink::{LedgerSink, Origin, Write};
use crate::{Envelope, Error, Item, Result, ResultExt};
use std::sync::Arc;
use std::time::Instant;

/// Stages some rows; the writer runs it before the items' *done*.
pub(super) async fn stage_rows<T: Item, S: LedgerSink<T>>(
    live: Arc<Live>,
    table: Arc<S>,
    no: usize,
    items: Vec<Envelope<T>>,
) -> Result<Vec<Envelope<T>>> {
    let stage = |envelope: &Envelope<T>| {
        let origin = Origin {
            run_no: live.run.no,
            run: live.run.id.clone(),
            seq: envelope.seq,
            key: envelope.key.to_string(),
        };
        table.stage(&envelope.item, origin)
    };
    sink(&live, no, items, stage).await
}

/// Spools some items for a file sink.
pub(super) async fn spool<T: Item>(
    live: Arc<Live>,
    sink_no: usize,
    no: usize,
    items: Vec<Envelope<T>>,
) -> Result<Vec<Envelope<T>>> {
    let run_no = live.run.no;
    let spool = |envelope: &Envelope<T>| -> Result<Write> {
        let json = serde_json::to_vec(&envelope.item).or_park().doing("it has no JSON form");
        let item = json.map_err(|e| e.because("no_json"))?;
        if item.len() > MAX_BYTES {
            return Err(too_large(item.len()));
        }
        let seq = envelope.seq;
        Ok(Box::new(move |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO tm_spool VALUES (?1, ?2, ?3, ?4)",
                params![run_no, sink_no as i64, seq, item],
            )
            .map(|_| ())
        }))
    };
    sink(&live, no, items, spool).await
}

/// Writes what `make` makes of each item, all in one; what it refuses does not go on.
async fn sink<T: Item>(
    live: &Arc<Live>,
    no: usize,
    items: Vec<Envelope<T>>,
    make: impl Fn(&Envelope<T>) -> Result<Write>,
) -> Result<Vec<Envelope<T>>> {
    let mut writes: Vec<Write> = Vec::with_capacity(items.len());
    let (mut taken, mut refused, mut bytes) = (Vec::with_capacity(items.len()), Vec::new(), 0);
    for envelope in items {
        let begun = Instant::now();
        let made = make(&envelope);
        live.timed(no, begun.elapsed());
        match made {
            Ok(write) => {
                live.look(no, &envelope.item)?;
                bytes += envelope.bytes + 128;
                writes.push(write);
                taken.push(envelope);
            }
            Err(error) => refused.push((envelope, error)),
        }
    }
    if !writes.is_empty() {
        let all =
            move |tx: &crate::ledger::Tx<'_>| writes.into_iter().try_for_each(|write| write(tx));
        live.ledger().write(bytes, all).await?;
    }
    let name = live.blueprint.name_of(no);
    for (Envelope { seq, key, .. }, error) in refused {
        let error: Error = error;
        live.setback(seq, &key, name, error).await?;
    }
    Ok(taken)
}
