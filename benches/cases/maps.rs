//! What does a `.map` cost per item, beside a hop over a bare channel?

use super::parts::{item, items, same};
use crate::support::child::{Order, best};
use crate::support::figures::{Bound, Figure, Figures};
use crate::support::mill;
use std::sync::Arc;
use std::time::Instant;
use tidemill_pipeline::{Error, Pipeline, Result};
use tokio::sync::mpsc;

const ITEMS: u64 = 200_000;
const ROUNDS: usize = 3;
const STEPS: f64 = 3.0;
/// What a channel of the reference may hold.
const CAPACITY: usize = 256;
/// Microseconds that a `.map` may cost more than a hop.
const MORE: f64 = 1.0;

/// The best of three, in wall time and in CPU time: with cores to spare the wall hides what is done
/// beside the ledger's writer.
pub(crate) fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let items = items.unwrap_or(ITEMS);
    let best = best(["maps-none", "maps-three", "maps-bare"], items, ROUNDS)?;
    let each = |seconds: f64| seconds * 1e6 / items as f64;
    for (what, time) in
        [("more wall time per item and map", "seconds"), ("more CPU time per item and map", "cpu")]
    {
        let [none, three, bare] = [best[0].get(time)?, best[1].get(time)?, best[2].get(time)?];
        let (value, hop) = (each(three - none) / STEPS, each(bare) / STEPS);
        let (reference, bound) = (Some((hop, "per item and hop")), Bound::at_most(hop + MORE));
        figures.add(&Figure { what, value, unit: "us", reference, bound });
    }
    let (what, value) = ("a run without maps, per item", each(best[0].get("seconds")?));
    figures.add(&Figure { what, value, unit: "us", reference: None, bound: Bound::NONE });
    Ok(())
}

/// A pipeline that only reads.
pub(crate) fn none(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let pipeline = Pipeline::named("none").read(items(order.items));
    Ok(mill::run(&order.folder, pipeline, order.items)?.seconds())
}

/// The same pipeline with three maps.
pub(crate) fn three(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let pipeline = Pipeline::named("three").read(items(order.items));
    let pipeline = pipeline.map(same).map(same).map(same);
    Ok(mill::run(&order.folder, pipeline, order.items)?.seconds())
}

/// Three bounded channels in a row, a task behind each, the same envelopes one by one.
pub(crate) fn bare(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let envelopes: Vec<_> = (1..=order.items)
        .map(|seq| {
            let yielded = item(seq);
            Carried { _seq: seq, _key: Arc::<str>::from(yielded.key), _item: yielded.item }
        })
        .collect();
    let runtime = mill::runtime()?;
    let begun = Instant::now();
    let moved = runtime.block_on(async {
        let (first, flow) = mpsc::channel(CAPACITY);
        let last = drained(hop(hop(flow)));
        for envelope in envelopes {
            if first.send(envelope).await.is_err() {
                break;
            }
        }
        drop(first);
        last.await
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    if moved != order.items {
        return Err(Error::halt(format!("{moved} of {} items came through", order.items)));
    }
    Ok(vec![("seconds", seconds)])
}

/// What the engine moves, too.
struct Carried {
    _seq: u64,
    _key: Arc<str>,
    _item: String,
}

type Flow = mpsc::Receiver<Carried>;

/// A task that passes on what comes in.
fn hop(mut from: Flow) -> Flow {
    let (to, flow) = mpsc::channel(CAPACITY);
    tokio::spawn(async move {
        while let Some(envelope) = from.recv().await {
            if to.send(envelope).await.is_err() {
                return;
            }
        }
    });
    flow
}

/// A task that counts what comes in.
fn drained(mut from: Flow) -> tokio::task::JoinHandle<u64> {
    tokio::spawn(async move {
        let mut moved = 0;
        while from.recv().await.is_some() {
            moved += 1;
        }
        moved
    })
}
