//! The suite for ledger sinks: tables of one's own.

use super::breach::breach;
use super::given::{Given, cut, item, too_few, was_cut};
use super::rig::Rig;
use super::step;
use super::table::{Look, OpensBehind, Table};
use crate::run::{RunOptions, RunReport};
use crate::serve::Order;
use crate::{Error, Item, LedgerSink, Pipeline, Result};
use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::sync::Semaphore;

const LEAST: usize = 2;

/// Checks that a ledger sink keeps what the engine relies on.
///
/// | rule | what is wrong when it is the reason |
/// |---|---|
/// | `name_unusable` | the name is no 1 to 64 letters, digits, `-` or `_` |
/// | `name_changes`, `version_changes`, `fingerprint_changes` | asked twice, or of two instances made alike, it says two things |
/// | `table_unusable` | [`LedgerSink::table`] is empty, reserved (`tm_…`, `sqlite_…`), or another each time |
/// | `check_refuses` | [`LedgerSink::check`] refuses a new mill, or the table that the sink made itself |
/// | `row_refused` | a row of the suite does not get through |
/// | `rows_early` | rows are to be seen before their run is published |
/// | `table_missing` | after the publish there is no table of the name that [`LedgerSink::table`] says |
/// | `rows_missing`, `rows_doubled` | fewer rows are published than were given, or more |
/// | `miscounted` | [`LedgerSink::publish`] does not return how many rows are new or different |
/// | `same_rows_change` | the same rows once more change something, or are counted |
/// | `parked_row_published` | the row of an item is published that a later step set aside |
/// | `stray_row_published` | a run publishes the row of another run, which was given up |
/// | `not_repeatable` | a run that was halted cannot be resumed: an item is staged twice then |
/// | `resume_doubles` | it can, and then there are more rows or fewer |
/// | `newer_ignored` | a row with the same key and other values does not replace the one that is there |
/// | `rollback_differs` | the sink publishes inside [`Tx::keeping_replaced`](crate::ledger::Tx::keeping_replaced), and a run that is taken back leaves other rows than before; a sink that keeps nothing is left in peace |
/// | `later_loses` | of a key that comes twice, not the one with the highest [`seq`](crate::sink::Origin::seq) wins |
/// | `refusal_spreads` | an item that does not fit fails more than itself (see [`refuses`](LedgerSinkSuite::refuses)) |
/// | `bad_row_taken` | an item that does not fit is taken |
/// | `too_few` | there are fewer than two rows, and the suite cannot fail |
#[derive(Debug)]
pub struct LedgerSinkSuite<F, T> {
    make: F,
    rows: Vec<T>,
    newer: T,
    bad: Option<T>,
}

impl<T: Item, S: LedgerSink<T>, F: Fn() -> S> LedgerSinkSuite<F, T> {
    /// For the sink that `make` makes, on two rows or more with different keys in its table, and a
    /// `newer` row: one with the key of the first and other values.
    pub fn of(make: F, rows: impl IntoIterator<Item = T>, newer: T) -> Self {
        Self { make, rows: rows.into_iter().collect(), newer, bad: None }
    }

    /// With an item that does not fit the table; it is to be set aside, alone.
    #[must_use]
    pub fn refuses(mut self, bad: T) -> Self {
        self.bad = Some(bad);
        self
    }

    /// Goes through all rules, in a rig in which the table does not exist yet.
    ///
    /// # Errors
    /// With the rule's name as reason when one is broken; with the error of the run when the sink
    /// cannot be prepared, staged or published at all.
    pub async fn check(&self, rig: &Rig) -> Result<()> {
        step::same_each_time(&self.make)?;
        let table = self.table()?;
        if self.rows.len() < LEAST {
            return Err(too_few("rows", LEAST, self.rows.len()));
        }
        let file = rig.home().ledger().path().to_path_buf();
        let on = Table { rig, look: Look { file, table }, pipeline: rig.fresh() };
        self.fits(rig, "a new mill")?;
        let first = self.first_publish(&on).await?;
        self.fits(rig, "its own table")?;
        if self.take_back(&on, &first, &[]).await? {
            self.publish(&on, &self.all(), |row| ready(Ok(row))).await?;
        }
        self.same_rows(&on).await?;
        self.parked_row(&on).await?;
        self.stray_row(&on).await?;
        self.resumed(&on).await?;
        self.later_wins(&on).await?;
        self.taken_back(&on).await?;
        match &self.bad {
            Some(bad) => self.refusal(&on, bad).await,
            None => Ok(()),
        }
    }

    fn table(&self) -> Result<String> {
        let (one, other) = ((self.make)(), (self.make)());
        let name = one.table().to_string();
        let reserved = name.starts_with("tm_") || name.starts_with("sqlite_");
        if !name.is_empty() && !reserved && name == other.table() {
            return Ok(name);
        }
        let seen = format!("`{name}` cannot name the table (then it says `{}`)", other.table());
        let cure = "choose a name that is not reserved, each time the same";
        Err(breach("table_unusable", seen, cure))
    }

    fn fits(&self, rig: &Rig, what: &str) -> Result<()> {
        let sink = (self.make)();
        rig.home().ledger().read_now(|read| sink.check(read)).map_err(|error| {
            let seen = format!("`check` refuses {what}: {}", error.message());
            breach("check_refuses", seen, "refuse only a table that does not fit the rows")
        })
    }

    /// Runs these items through the sink and then through `behind`.
    async fn run<B, Fut>(
        &self,
        on: &Table<'_>,
        items: &[&T],
        argument: u64,
        behind: B,
    ) -> Result<RunReport>
    where
        B: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let items: Vec<T> = items.iter().map(|item| (*item).clone()).collect();
        let read = Pipeline::named(&on.pipeline).read(Given::many(items.len(), argument));
        let rows = read.map(move |number| ready(item(&items, number)));
        on.rig.run(rows.store((self.make)()).map(behind)).await
    }

    /// As `run`, and every item must get through.
    async fn publish<B, Fut>(&self, on: &Table<'_>, items: &[&T], behind: B) -> Result<RunReport>
    where
        B: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let report = self.run(on, items, on.rig.number(), behind).await?;
        if report.items.done == items.len() as u64 {
            return Ok(report);
        }
        let seen = format!("a row does not get through: {}", on.rig.parked(&report)?.message());
        Err(breach("row_refused", seen, "give the suite rows that fit the table"))
    }

    fn all(&self) -> Vec<&T> {
        self.rows.iter().collect()
    }

    async fn first_publish(&self, on: &Table<'_>) -> Result<RunReport> {
        let (look, ledger) = (on.look.clone(), on.rig.home().ledger().clone());
        let watched = move |row: T| {
            let (look, ledger) = (look.clone(), ledger.clone());
            async move {
                ledger.flush().await?; // what is staged is written now
                if look.rows()?.is_none_or(|rows| rows.is_empty()) {
                    return Ok(row);
                }
                let cure = "write to a table of staged rows; `publish` moves them over";
                Err(breach("rows_early", "rows are to be seen before the publish", cure))
            }
        };
        let report = self.publish(on, &self.all(), watched).await?;
        let found = on.current()?;
        on.holds(&found, self.rows.len())?;
        if report.changed_rows != found.len() as u64 {
            let (new, said) = (found.len(), report.changed_rows);
            let cure = "return how many rows are new or different, as SQLite says it";
            return Err(breach("miscounted", format!("of {new} new rows it says {said}"), cure));
        }
        Ok(report)
    }

    async fn same_rows(&self, on: &Table<'_>) -> Result<()> {
        let before = on.current()?;
        let report = self.publish(on, &self.all(), |row| ready(Ok(row))).await?;
        if report.changed_rows == 0 && on.current()? == before {
            return Ok(());
        }
        let seen = format!("the same rows once more change {} rows", report.changed_rows);
        let cure = "write only where a value differs: `ON CONFLICT … DO UPDATE … WHERE … IS NOT …`";
        Err(breach("same_rows_change", seen, cure))
    }

    async fn parked_row(&self, on: &Table<'_>) -> Result<()> {
        let before = on.current()?;
        let park = |_| ready(Err(Error::park("the suite sets this item aside")));
        self.run(on, &[&self.newer], on.rig.number(), park).await?;
        let cure = "leave out the rows of items that stand open, wait or are parked: `state IN (0, 2, 3)` in `tm_items`";
        on.unchanged(&before, "parked_row_published", "the row of a parked item is published", cure)
    }

    async fn stray_row(&self, on: &Table<'_>) -> Result<()> {
        let before = on.current()?;
        let halted = self.run(on, &[&self.newer], on.rig.number(), |_| ready(Err(cut()))).await;
        if !was_cut(&halted) {
            halted?;
        }
        // Another argument: the halted run is given up.
        self.publish(on, &self.all(), |row| ready(Ok(row))).await?;
        let cure = "stage rows under `Origin::run_no`, and publish those of this run only";
        on.unchanged(&before, "stray_row_published", "the row of another run is published", cure)
    }

    async fn resumed(&self, on: &Table<'_>) -> Result<()> {
        let (before, argument) = (on.current()?, on.rig.number());
        let halts = Arc::new(AtomicBool::new(true));
        let behind = || {
            let halts = Arc::clone(&halts);
            move |row| ready(if halts.load(SeqCst) { Err(cut()) } else { Ok(row) })
        };
        let halted = self.run(on, &[&self.newer], argument, behind()).await;
        if !was_cut(&halted) {
            halted?;
        }
        halts.store(false, SeqCst);
        self.run(on, &[&self.newer], argument, behind()).await.map_err(|error| {
            let seen = format!("a halted run cannot be resumed: {}", error.message());
            let cure = "an item is staged again then: `INSERT OR REPLACE` by run and seq";
            breach("not_repeatable", seen, cure)
        })?;
        let found = on.current()?;
        if found.len() != before.len() {
            let seen = format!("a resumed run makes {} rows of {}", found.len(), before.len());
            return Err(breach("resume_doubles", seen, "stage each item once by run and seq"));
        }
        if found != before {
            return Ok(());
        }
        let seen = "a row with the same key and other values changes nothing";
        Err(breach("newer_ignored", seen, "let it replace the row that is there"))
    }

    /// Two rows of one key, of which the second is staged before the first.
    async fn later_wins(&self, on: &Table<'_>) -> Result<()> {
        let before = on.current()?;
        let Some(first) = self.rows.first() else { return Ok(()) };
        let (items, gate) = ([first.clone(), self.newer.clone()], Arc::new(Semaphore::new(0)));
        let opens = Arc::new(OpensBehind { key: "item-1", gate: Arc::clone(&gate) });
        let read = Pipeline::named(&on.pipeline).read(Given::many(2, on.rig.number()));
        let rows = read.map(move |number| {
            let (row, gate) = (item(&items, number), Arc::clone(&gate));
            async move {
                if number == 0 {
                    gate.acquire().await?.forget();
                }
                row
            }
        });
        let stored = rows.workers(2).unordered().store((self.make)());
        let options = RunOptions { progress: opens, ..RunOptions::default() };
        on.rig.run_with(stored, options).await?;
        let cure = "publish the row with the highest seq of each key, whichever was staged last";
        on.unchanged(
            &before,
            "later_loses",
            "the earlier of two rows with one key is published",
            cure,
        )
    }

    /// Takes a run back that replaced a row.
    async fn taken_back(&self, on: &Table<'_>) -> Result<()> {
        let before = on.current()?;
        let report = self.publish(on, &self.all(), |row| ready(Ok(row))).await?;
        self.take_back(on, &report, &before).await.map(|_| ())
    }

    /// Takes a run back, behind which there were these rows; false when the sink keeps nothing.
    async fn take_back(
        &self,
        on: &Table<'_>,
        report: &RunReport,
        before: &[String],
    ) -> Result<bool> {
        let cure = "write the run's id into a column `_run` of every row that a publish changes";
        match on.rig.home().carry_out(Order::Rollback { run: report.run.clone() }).await {
            Err(error) if error.reason() == "undo_gone" => return Ok(false),
            Err(error) => {
                let seen = format!("a run cannot be taken back: {}", error.message());
                return Err(breach("rollback_differs", seen, cure));
            }
            Ok(_) => {}
        }
        let seen = "a run that was taken back leaves other rows";
        on.unchanged(before, "rollback_differs", seen, cure).map(|()| true)
    }

    async fn refusal(&self, on: &Table<'_>, bad: &T) -> Result<()> {
        let mut items: Vec<_> = self.rows.iter().collect();
        items.insert(1, bad);
        let cure = "say in `stage` that it does not fit, with `Error::park`: a write that fails ends the run";
        let spreads = |why: String| {
            breach("refusal_spreads", format!("an item that does not fit fails more: {why}"), cure)
        };
        let report = self.run(on, &items, on.rig.number(), |row| ready(Ok(row))).await;
        let report = report.map_err(|error| spreads(error.message()))?;
        let (done, parked) = (report.items.done, report.items.parked);
        match items.len() as u64 - 1 {
            good if (done, parked) == (good, 1) => Ok(()),
            good if done > good => {
                let seen = "an item that does not fit is taken";
                Err(breach("bad_row_taken", seen, "refuse it in `stage`, with `Error::park`"))
            }
            _ => Err(spreads(format!("{done} items are done and {parked} set aside"))),
        }
    }
}
