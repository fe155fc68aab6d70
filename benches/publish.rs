//! What does a published row cost, and who else can write meanwhile, beside inserting by hand?
//!
//! `cargo bench -p tidemill-stages --no-default-features --bench publish -- [--items N]`
//!
//! 500 000 rows, each with a key of 16 characters, a text of 40 and a number. The keys ascend with
//! the items (`0000000000000001`, …) or are random (the same numbers, mixed, in hexadecimal); the
//! keys of the items, which the engine remembers, ascend in both. What staging and publishing cost
//! is the difference of two whole runs, with `.store` and without. Every measurement is a process
//! of its own with a new home below `TIDEMILL_BENCH_DIR`, or else below cargo's target folder. The
//! exit code is 1 when a bound is missed, 2 when something could not be measured.

mod support;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::child::{Found, Order, best, measure};
use support::figures::{Bound, Figure, Figures};
use support::mill::{self, Numbered, Ran};
use support::{bare as by_hand, program};
use tidemill_pipeline::{Error, Pipeline, Result, Yielded};
use tidemill_stages::sqlite::Table;

const ITEMS: u64 = 500_000;
const ROUNDS: usize = 2;
/// How much of the speed of inserting by hand is left, for ascending keys and for random ones.
const LEFT: [f64; 2] = [0.45, 0.85];
/// Seconds that another writer waits at most, for 500 000 rows.
const WAIT: f64 = 2.0;
/// Seconds that it may wait however few the rows are: SQLite itself pauses a tenth between tries.
const LEAST_WAIT: f64 = 0.3;
/// How often the other writer writes, and how long it is ready to wait.
const PACE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    program::main(
        &[("publish", case)],
        &[
            ("without", |order| without(order)),
            ("ascending", |order| with(order, ascending)),
            ("random", |order| with(order, random)),
            ("ascending-beside", |order| beside(order, ascending)),
            ("random-beside", |order| beside(order, random)),
            ("ascending-bare", |order| bare(order, ascending)),
            ("random-bare", |order| bare(order, random)),
        ],
    )
}

/// The best of two, then once with another writer.
fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let items = items.unwrap_or(ITEMS);
    let works = ["without", "ascending", "random", "ascending-bare", "random-bare"];
    let [without, up, random, up_bare, random_bare] = best(works, items, ROUNDS)?;
    speed(figures, items, "ascending", [&without, &up, &up_bare], LEFT[0])?;
    speed(figures, items, "random", [&without, &random, &random_bare], LEFT[1])?;
    let (what, value) = ("a run without a table", without.get("seconds")?);
    figures.add(&Figure { what, value, unit: "s", reference: None, bound: Bound::NONE });
    ["ascending", "random"].iter().try_for_each(|keys| waits(figures, items, keys))
}

/// How long another writer waits at most, while items pass and while they are published.
fn waits(figures: &mut Figures, items: u64, keys: &str) -> Result<()> {
    let found = measure(&format!("{keys}-beside"), items)?;
    let bound = Bound::at_most((WAIT * items as f64 / ITEMS as f64).max(LEAST_WAIT));
    for (name, when) in [("passing", "staging"), ("publishing", "publishing")] {
        let (what, value) = (&format!("{when}, another writer waits, {keys}"), found.get(name)?);
        figures.add(&Figure { what, value, unit: "s", reference: None, bound });
    }
    let (what, value) = (&format!("its writes beside that run, {keys}"), found.get("writes")?);
    figures.add(&Figure { what, value, unit: "", reference: None, bound: Bound::NONE });
    Ok(())
}

/// Rows per second, how long the publish alone took, and the CPU time.
fn speed(
    figures: &mut Figures,
    items: u64,
    keys: &str,
    [without, with, bare]: [&Found; 3],
    left: f64,
) -> Result<()> {
    let mut add = |what: &str, value, unit, reference, bound| {
        let what = &format!("{what}, {keys} keys");
        figures.add(&Figure { what, value, unit, reference: Some(reference), bound });
    };
    let more = |name| Ok::<_, Error>(with.get(name)? - without.get(name)?);
    let thousands = |seconds: f64| items as f64 / seconds / 1e3;
    let (value, by_hand) = (thousands(more("seconds")?), thousands(bare.get("seconds")?));
    let bound = Bound { least: left * by_hand, ..Bound::NONE };
    add("stored rows", value, "k/s", (by_hand, "by hand"), bound);
    let usual = (without.get("publish")?, "without a table");
    add("the publish", with.get("publish")?, "s", usual, Bound::NONE);
    add("CPU time more", more("cpu")?, "s", (bare.get("cpu")?, "by hand"), Bound::NONE);
    Ok(())
}

/// What is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    key: String,
    text: String,
    words: u32,
}

fn row(n: u64, key: String) -> Row {
    Row { key, text: format!("the text of the row with the no {n:08}"), words: (n % 1000) as u32 }
}

type Make = fn(u64) -> Yielded<Row>;

fn ascending(n: u64) -> Yielded<Row> {
    Yielded::new(format!("{n:08}"), row(n, format!("{n:016}")))
}

fn random(n: u64) -> Yielded<Row> {
    Yielded::new(format!("{n:08}"), row(n, format!("{:016x}", mixed(n))))
}

/// Another number for each number, in no order: the finaliser of `SplitMix64`.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn pipeline(order: &Order, make: Make) -> Pipeline<Row> {
    Pipeline::named("publish").read(Numbered { items: order.items, batch: 1, make })
}

/// The rows only pass.
fn without(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    Ok(mill::run(&order.folder, pipeline(order, ascending), order.items)?.seconds())
}

/// The rows are staged and published.
fn with(order: &Order, make: Make) -> Result<Vec<(&'static str, f64)>> {
    Ok(stored(order, make)?.seconds())
}

fn stored(order: &Order, make: Make) -> Result<Ran> {
    let stored = pipeline(order, make).store(Table::named("rows").keyed_by("key"));
    let ran = mill::run(&order.folder, stored, order.items)?;
    if ran.report.changed_rows != order.items {
        return Err(Error::halt(format!("{} rows were published", ran.report.changed_rows)));
    }
    Ok(ran)
}

/// The same rows in the same order, by hand.
fn bare(order: &Order, make: Make) -> Result<Vec<(&'static str, f64)>> {
    let begun = Instant::now();
    let mut connection = by_hand::open(&order.folder)?;
    connection.execute_batch(
        "CREATE TABLE rows (key TEXT PRIMARY KEY, text TEXT, words INTEGER) STRICT",
    )?;
    let sql = "INSERT INTO rows VALUES (?1, ?2, ?3)";
    by_hand::insert(&mut connection, sql, order.items, |statement, n| {
        let row = make(n).item;
        statement.execute((row.key, row.text, row.words))?;
        Ok(())
    })?;
    by_hand::counted(&connection, "rows", order.items)?;
    drop(connection);
    Ok(vec![("seconds", begun.elapsed().as_secs_f64())])
}

/// The same run, while another connection writes into a table of its own in the same file.
fn beside(order: &Order, make: Make) -> Result<Vec<(&'static str, f64)>> {
    // The file is the mill's: a run without items makes it.
    mill::run(&order.folder, pipeline(&Order { items: 0, folder: order.folder.clone() }, make), 0)?;
    let file = order.folder.join("tidemill.db");
    let over = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let over = Arc::clone(&over);
        move || write_at_a_pace(&file, &over)
    });
    let ran = stored(order, make);
    over.store(true, SeqCst);
    let writes = writer.join().map_err(|_| Error::halt("the other writer panicked"))??;
    let (from, to) = ran?.publishing;
    // Seconds of the longest write that was under way at some moment of a time.
    let longest = |begin: Option<Instant>, end: Instant| {
        let meets = |write: &&Write| begin.is_none_or(|begin| write.1 > begin) && write.0 < end;
        let waits = writes.iter().filter(meets).map(|write| (write.1 - write.0).as_secs_f64());
        waits.fold(f64::NAN, f64::max)
    };
    let (passing, publishing) = (longest(None, from), longest(Some(from), to));
    Ok(vec![("passing", passing), ("publishing", publishing), ("writes", writes.len() as f64)])
}

/// When a write began and when it was durable.
type Write = (Instant, Instant);

fn write_at_a_pace(file: &Path, over: &AtomicBool) -> Result<Vec<Write>> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch("CREATE TABLE other (n INTEGER PRIMARY KEY, no INTEGER)")?;
    let mut writes = Vec::new();
    while !over.load(SeqCst) {
        let begun = Instant::now();
        connection.execute("INSERT INTO other (no) VALUES (?1)", [writes.len()])?;
        writes.push((begun, Instant::now()));
        std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
    }
    Ok(writes)
}
