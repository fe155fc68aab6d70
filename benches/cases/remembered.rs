//! What does an item cost that three steps remember, beside rows that are written by hand?

use super::parts::{Shout, items};
use crate::support::child::{Order, best};
use crate::support::figures::{Bound, Figure, Figures};
use crate::support::{bare as by_hand, mill};
use std::time::Instant;
use tidemill_pipeline::{Pipeline, Result};

const ITEMS: u64 = 200_000;
const ROUNDS: usize = 3;
/// Microseconds per item, from opening the home until it is closed.
const MOST: f64 = 25.0;
/// An item and three answers.
const ROWS: u64 = 4;
/// About as many bytes as such a row of the ledger has beside its key.
const BYTES: usize = 96;

/// The best of three.
pub(crate) fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let items = items.unwrap_or(ITEMS);
    let [run, bare] = best(["remembered-run", "remembered-bare"], items, ROUNDS)?;
    let each = |seconds: f64| seconds * 1e6 / items as f64;
    let mut add = |what, value, reference, bound| {
        figures.add(&Figure { what, value, unit: "us", reference, bound });
    };
    let rows = Some((each(bare.get("seconds")?), "by hand"));
    add("an item through three `.then`", each(run.get("seconds")?), rows, Bound::at_most(MOST));
    add("of which publish", each(run.get("publish")?), None, Bound::NONE);
    let rows = Some((each(bare.get("cpu")?), "by hand"));
    add("CPU time of an item", each(run.get("cpu")?), rows, Bound::NONE);
    Ok(())
}

/// A run with three remembered steps, on disk and published.
pub(crate) fn run(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let pipeline = Pipeline::named("remembered").read(items(order.items));
    let pipeline = pipeline.then(Shout("one")).then(Shout("two")).then(Shout("three"));
    Ok(mill::run(&order.folder, pipeline, order.items)?.seconds())
}

/// As many rows in one table with ascending numbers as keys.
pub(crate) fn bare(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let (rows, body) = (order.items * ROWS, [7_u8; BYTES]);
    let begun = Instant::now();
    let mut connection = by_hand::open(&order.folder)?;
    connection.execute_batch("CREATE TABLE rows (n INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
    by_hand::insert(&mut connection, "INSERT INTO rows VALUES (?1, ?2)", rows, |statement, n| {
        statement.execute((n, &body[..]))?;
        Ok(())
    })?;
    by_hand::counted(&connection, "rows", rows)?;
    drop(connection);
    Ok(vec![("seconds", begun.elapsed().as_secs_f64())])
}
