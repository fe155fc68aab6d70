//! Does memory stay flat when there are twice as many items?

use super::parts::{Shout, items, same};
use crate::support::child::{Order, measure};
use crate::support::figures::{Bound, Figure, Figures};
use crate::support::mill;
use tidemill_pipeline::{Pipeline, Result};

const ITEMS: u64 = 1_000_000;
/// MB (10^6 bytes) at most.
const MOST: f64 = 150.0;

/// The same pipeline with all items and with twice as many: with a million the caches are full.
pub(crate) fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let items = items.unwrap_or(ITEMS);
    let all = measure("flat-run", items)?;
    let twice = measure("flat-run", items * 2)?.get("peak")?;
    let peak = all.get("peak")?;
    let mut add = |what, value, unit, reference, bound| {
        figures.add(&Figure { what, value, unit, reference, bound });
    };
    add("peak memory, four steps", peak, "MB", None, Bound::at_most(MOST));
    let half = Some((peak, "with half of them"));
    add("with twice as many items", twice, "MB", half, Bound::at_most(peak * 1.1 + 5.0));
    add("an item", all.get("seconds")? * 1e6 / items as f64, "us", None, Bound::NONE);
    Ok(())
}

/// Two remembered steps and two recomputed ones.
pub(crate) fn run(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let pipeline = Pipeline::named("flat").read(items(order.items));
    let pipeline = pipeline.then(Shout("one")).map(same).then(Shout("two")).map(same);
    Ok(mill::run(&order.folder, pipeline, order.items)?.seconds())
}
