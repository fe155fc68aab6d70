//! How long does a run take in which nothing is new, beside looking the keys up by hand?

use super::parts::{Shout, item, key};
use crate::support::child::{Order, measure, measure_in};
use crate::support::figures::{Bound, Figure, Figures};
use crate::support::ground::fresh_folder;
use crate::support::mill::Numbered;
use crate::support::{bare as by_hand, mill};
use std::time::Instant;
use tidemill_pipeline::{Error, Fingerprint, Pipeline, Result, Yielded};

const ITEMS: u64 = 1_000_000;
/// Items that the source hands over at once.
const BATCH: usize = 256;
/// Seconds for a million items.
const MOST_SECONDS: f64 = 10.0;
/// MB (10^6 bytes) at most.
const MOST_MEMORY: f64 = 150.0;

/// A first run that is only needed, and the second.
pub(crate) fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let items = items.unwrap_or(ITEMS);
    let home = fresh_folder()?;
    let first = measure_in(home.path(), "unchanged-first", items)?;
    let again = measure_in(home.path(), "unchanged-again", items)?;
    let bare = measure("unchanged-bare", items)?;
    let mut add = |what, value, unit, reference, bound| {
        figures.add(&Figure { what, value, unit, reference, bound });
    };
    let by_hand = Some((bare.get("seconds")?, "by hand"));
    let most = Bound::at_most(MOST_SECONDS * items as f64 / ITEMS as f64);
    add("a run in which all is unchanged", again.get("seconds")?, "s", by_hand, most);
    let first_peak = Some((first.get("peak")?, "in the first run"));
    add("peak memory of it", again.get("peak")?, "MB", first_peak, Bound::at_most(MOST_MEMORY));
    add("the first run", first.get("seconds")?, "s", None, Bound::NONE);
    Ok(())
}

fn pipeline(items: u64) -> Pipeline<String> {
    let source = Numbered { items, batch: BATCH, make: known };
    Pipeline::named("unchanged").read(source).then(Shout("one"))
}

fn known(n: u64) -> Yielded<String> {
    let yielded = item(n);
    let content = content(&yielded.item);
    yielded.content(content)
}

fn content(text: &str) -> Fingerprint {
    Fingerprint::of_bytes(text.as_bytes())
}

/// All items are new.
pub(crate) fn first(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    Ok(mill::run(&order.folder, pipeline(order.items), order.items)?.seconds())
}

/// None is.
pub(crate) fn again(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let ran = mill::run(&order.folder, pipeline(order.items), 0)?;
    let unchanged = ran.report.items.unchanged;
    if unchanged != order.items {
        return Err(Error::halt(format!("{unchanged} of {} are unchanged", order.items)));
    }
    Ok(ran.seconds())
}

/// A table of keys with their contents: each is looked up, compared, and noted in another one.
pub(crate) fn bare(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let mut connection = by_hand::open(&order.folder)?;
    connection.execute_batch(
        "CREATE TABLE memory (key TEXT PRIMARY KEY, content BLOB) WITHOUT ROWID;
         CREATE TABLE seen (key TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;",
    )?;
    let sql = "INSERT INTO memory VALUES (?1, ?2)";
    by_hand::insert(&mut connection, sql, order.items, |statement, n| {
        statement.execute((key(n), content(&item(n).item).as_bytes()))?;
        Ok(())
    })?;
    let begun = Instant::now();
    // Looked up on a connection of its own, as a reader does it beside the writer.
    let looker = rusqlite::Connection::open(order.folder.join("bare.db"))?;
    let mut look = looker.prepare("SELECT content FROM memory WHERE key = ?1")?;
    let sql = "INSERT INTO seen VALUES (?1, 0)";
    by_hand::insert(&mut connection, sql, order.items, |statement, n| {
        let (key, content) = (key(n), content(&item(n).item));
        let found: Vec<u8> = look.query_row([&key], |row| row.get(0))?;
        if found == content.as_bytes() {
            statement.execute([&key])?;
        }
        Ok(())
    })?;
    by_hand::counted(&connection, "seen", order.items)?;
    Ok(vec![("seconds", begun.elapsed().as_secs_f64())])
}
