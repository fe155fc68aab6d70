//! Sinks: tables in the ledger's file (`.store`), and files for the archive (`.save`).

use crate::ledger::{Read, Tx};
use crate::{Context, Fingerprint, Item, Replay, Result, Step};
use std::path::Path;
use std::sync::Arc;

/// What a ledger sink wants written; the writer runs it together with the item's *done*.
pub type Write = Box<dyn FnOnce(&Tx<'_>) -> Result<()> + Send>;

/// Where a staged row comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The run's number in the ledger.
    pub run_no: i64,
    /// The run's id.
    pub run: String,
    /// The item's place in the run; the highest wins when a key comes twice.
    pub seq: u64,
    /// The item's key.
    pub key: String,
}

/// A sink whose rows live in the ledger's own SQLite file, so that they become the current ones in
/// the one transaction that makes their run a published one.
///
/// A run can be taken back when [`publish`](LedgerSink::publish) works inside
/// [`Tx::keeping_replaced`] on a table that has a primary key and a column `_run` with the id of the
/// run that wrote the row. Staging tables are named `tm_staged_<table>` and begin with the columns
/// `tm_run` and `tm_seq`: then housekeeping empties them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot store `{In}`",
    label = "`.store(..)` needs a table for `{In}`",
    note = "use `Table::named(..).keyed_by(..)`, or implement `LedgerSink<{In}>` for `{Self}`",
    note = "files are written with `.save(..)`"
)]
pub trait LedgerSink<In: Item>: Step {
    /// Looks before the run whether the rows will fit; an error here is told before any request.
    ///
    /// # Errors
    /// When the table has another key or a column of another type, with the cure.
    fn check(&self, read: &Read<'_>) -> Result<()>;

    /// Makes the writes that stage one item.
    ///
    /// # Errors
    /// When the item does not fit the table; it is parked.
    fn stage(&self, item: &In, origin: Origin) -> Result<Write>;

    /// Makes the staged rows of a run the current ones; returns how many rows changed.
    ///
    /// # Errors
    /// When the database refuses; then nothing is published.
    fn publish(&self, tx: &Tx<'_>, origin: &Origin) -> Result<u64>;

    /// The published table's name.
    fn table(&self) -> &str;
}

/// One item as a file sink gets it back when the run is sealed.
#[derive(Debug, Clone)]
pub struct Saved<T> {
    /// The item's key.
    pub key: String,
    /// Its place in the run.
    pub seq: u64,
    /// The hash of its content, when somebody said it.
    pub content: Option<Fingerprint>,
    /// The value.
    pub item: T,
}

/// What a run is, for the files it seals.
#[derive(Debug, Clone)]
pub struct Sealing<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The run's id.
    pub run: &'a str,
    /// The local date that the files are filed under, `YYYY-MM-DD`: the run's, or in a replay that of
    /// the archived run which its items come from.
    pub dt: &'a str,
    /// The fingerprint of the whole chain of steps.
    pub steps: Fingerprint,
    /// The folder on scratch to write into.
    pub folder: &'a Path,
}

/// A sink that makes files: items are spooled as they pass, and sealed in one go at the end.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot save `{In}`",
    label = "`.save(..)` needs a dataset for `{In}`",
    note = "use `Parquet::dataset(..)`, or implement `FileSink<{In}>` for `{Self}`",
    note = "tables are filled with `.store(..)`"
)]
pub trait FileSink<In: Item>: Step {
    /// The dataset that the files belong to.
    fn dataset(&self) -> &str;

    /// Writes the run's files of this sink into [`Sealing::folder`], each by temp and rename, and
    /// returns their names. Must be idempotent: after a crash it runs again.
    ///
    /// # Errors
    /// When a file cannot be written; the run halts and goes on from here next time.
    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<In>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>>;

    /// Runs once per run, before any item.
    ///
    /// # Errors
    /// When the sink cannot work with this configuration.
    fn check(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }

    /// Reads its archived files back, so that a pipeline can be entered behind it. By default nobody
    /// can.
    fn replay(&self) -> Option<Arc<dyn Replay<In>>> {
        None
    }
}
