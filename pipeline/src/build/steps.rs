//! What `store` and `save` do with one item: stage its row, spool it for the run's files.

use crate::item::{MAX_BYTES, too_large};
use crate::ledger::params;
use crate::run::live::Live;
use crate::sink::{LedgerSink, Origin};
use crate::{Envelope, Item, Result, ResultExt};
use std::sync::Arc;
use std::time::Instant;

/// Stages one row; the writer runs it before the item's *done*.
pub(super) async fn stage_row<T: Item, S: LedgerSink<T>>(
    live: Arc<Live>,
    table: Arc<S>,
    no: usize,
    envelope: Envelope<T>,
) -> Result<Option<Envelope<T>>> {
    let begun = Instant::now();
    let origin = Origin {
        run_no: live.run.no,
        run: live.run.id.clone(),
        seq: envelope.seq,
        key: envelope.key.to_string(),
    };
    let staged = table.stage(&envelope.item, origin);
    live.timed(no, begun.elapsed());
    match staged {
        Ok(write) => {
            live.ledger().write(envelope.bytes + 128, write).await?;
            live.look(no, &envelope.item)?;
            Ok(Some(envelope))
        }
        Err(error) => {
            live.setback(envelope.seq, &envelope.key, table.name(), error).await?;
            Ok(None)
        }
    }
}

/// Spools one item for a file sink.
pub(super) async fn spool<T: Item>(
    live: Arc<Live>,
    sink: usize,
    no: usize,
    envelope: Envelope<T>,
) -> Result<Option<Envelope<T>>> {
    let begun = Instant::now();
    let json = serde_json::to_vec(&envelope.item).or_park().doing("it has no JSON form");
    live.timed(no, begun.elapsed());
    let item = match json {
        Ok(item) if item.len() <= MAX_BYTES => item,
        result => {
            let error = result.map_or_else(|e| e.because("no_json"), |item| too_large(item.len()));
            let name = live.blueprint.nodes.get(no).map_or("save", |node| node.name.as_str());
            live.setback(envelope.seq, &envelope.key, name, error).await?;
            return Ok(None);
        }
    };
    let (run_no, seq) = (live.run.no, envelope.seq);
    live.ledger()
        .write(item.len() + 64, move |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO tm_spool VALUES (?1, ?2, ?3, ?4)",
                params![run_no, sink as i64, seq, item],
            )
            .map(|_| ())
        })
        .await?;
    live.look(no, &envelope.item)?;
    Ok(Some(envelope))
}
