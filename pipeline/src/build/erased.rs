//! Steps and sinks without their item types, for the engine's ends: before and after the flow.

use crate::ledger::{Ledger, Read, Tx};
use crate::replay::{Cost, Foreseen, Indexed};
use crate::sink::{FileSink, LedgerSink, Origin, Saved, Sealing};
use crate::tier::ArchivedRun;
use crate::{Context, Error, Fingerprint, Item, Replay, Result, Step};
use futures_util::future::BoxFuture;
use std::marker::PhantomData;
use std::sync::Arc;

/// A step as the engine prepares and finishes it.
pub(crate) trait AnyStep: Send + Sync {
    fn prepare<'a>(&'a self, cx: &'a Context) -> BoxFuture<'a, Result<Fingerprint>>;
    fn finish<'a>(&'a self, cx: &'a Context) -> BoxFuture<'a, Result<()>>;
    fn foresee(&self, past: Option<&Cost>) -> Foreseen;
}

impl<S: Step> AnyStep for S {
    fn prepare<'a>(&'a self, cx: &'a Context) -> BoxFuture<'a, Result<Fingerprint>> {
        Box::pin(Step::prepare(self, cx))
    }

    fn finish<'a>(&'a self, cx: &'a Context) -> BoxFuture<'a, Result<()>> {
        Box::pin(Step::finish(self, cx))
    }

    fn foresee(&self, past: Option<&Cost>) -> Foreseen {
        Step::foresee(self, past)
    }
}

/// A reader of archived files as the engine chooses what is read.
pub(crate) trait AnyReplay: Send + Sync {
    fn columns(&self, runs: &[ArchivedRun]) -> Result<Vec<String>>;
    fn index(&self, run: &ArchivedRun, columns: &[String]) -> Result<Vec<Indexed>>;
}

/// A reader for one item type.
pub(crate) struct ReplayOf<T>(pub(crate) Arc<dyn Replay<T>>);

impl<T> AnyReplay for ReplayOf<T> {
    fn columns(&self, runs: &[ArchivedRun]) -> Result<Vec<String>> {
        self.0.columns(runs)
    }

    fn index(&self, run: &ArchivedRun, columns: &[String]) -> Result<Vec<Indexed>> {
        self.0.index(run, columns)
    }
}

/// A table as the engine checks and publishes it.
pub(crate) trait AnyTable: Send + Sync {
    fn name(&self) -> &str;
    fn check(&self, read: &Read<'_>) -> Result<()>;
    fn publish(&self, tx: &Tx<'_>, origin: &Origin) -> Result<u64>;
}

/// A ledger sink for one item type.
pub(crate) struct TableOf<S, T>(pub(crate) Arc<S>, pub(crate) PhantomData<fn(T)>);

impl<T: Item, S: LedgerSink<T>> AnyTable for TableOf<S, T> {
    fn name(&self) -> &str {
        self.0.table()
    }

    fn check(&self, read: &Read<'_>) -> Result<()> {
        self.0.check(read)
    }

    fn publish(&self, tx: &Tx<'_>, origin: &Origin) -> Result<u64> {
        self.0.publish(tx, origin)
    }
}

/// A file sink as the engine checks and seals it.
pub(crate) trait AnyFileSink: Send + Sync {
    fn dataset(&self) -> &str;
    fn check(&self, cx: &Context) -> Result<()>;
    /// Seals what was spooled in this run.
    fn seal(&self, ledger: &Ledger, spooled: SpoolOf, sealing: &Sealing<'_>)
    -> Result<Vec<String>>;
}

/// What of the spool is sealed into one folder.
#[derive(Debug, Clone)]
pub(crate) struct SpoolOf {
    pub(crate) run_no: i64,
    /// The sink's number in the blueprint.
    pub(crate) sink: usize,
    /// Archived items of this date only; none for items that have no date of their own.
    pub(crate) dt: Option<String>,
}

/// A file sink for one item type.
pub(crate) struct FilesOf<S, T>(pub(crate) Arc<S>, pub(crate) PhantomData<fn(T)>);

impl<T: Item, S: FileSink<T>> AnyFileSink for FilesOf<S, T> {
    fn dataset(&self) -> &str {
        self.0.dataset()
    }

    fn check(&self, cx: &Context) -> Result<()> {
        self.0.check(cx)
    }

    fn seal(
        &self,
        ledger: &Ledger,
        spooled: SpoolOf,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let mut rows = Spooled {
            ledger,
            of: spooled,
            after: 0,
            page: Vec::new().into_iter(),
            item: PhantomData,
        };
        self.0.seal(&mut rows, sealing)
    }
}

/// The spooled items of one sink, read page by page.
struct Spooled<'a, T> {
    ledger: &'a Ledger,
    of: SpoolOf,
    after: u64,
    page: std::vec::IntoIter<Saved<Vec<u8>>>,
    item: PhantomData<fn() -> T>,
}

const PAGE: u32 = 256;

impl<T: Item> Spooled<'_, T> {
    fn next_page(&mut self) -> Result<()> {
        // Only items that got through: one that was parked by a later step is not in the files.
        let rows = self.ledger.read_now(|read| {
            read.all(
                "SELECT s.seq, i.key, i.content, s.item FROM tm_spool s JOIN tm_items i USING (run_no, seq)
                  WHERE s.run_no = ?1 AND s.sink = ?2 AND s.seq > ?3 AND i.state IN (1, 6, 7) AND i.dt IS ?5
                  ORDER BY s.seq LIMIT ?4",
                crate::ledger::params![
                    self.of.run_no,
                    self.of.sink as i64,
                    self.after,
                    PAGE,
                    self.of.dt
                ],
                |row| {
                    let content: Option<Vec<u8>> = row.get(2)?;
                    Ok(Saved {
                        seq: row.get(0)?,
                        key: row.get(1)?,
                        content: content.and_then(|bytes| Fingerprint::from_slice(&bytes)),
                        item: row.get::<_, Vec<u8>>(3)?,
                    })
                },
            )
        })?;
        self.page = rows.into_iter();
        Ok(())
    }
}

impl<T: Item> Iterator for Spooled<'_, T> {
    type Item = Result<Saved<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0
            && let Err(error) = self.next_page()
        {
            return Some(Err(error));
        }
        let saved = self.page.next()?;
        self.after = saved.seq;
        let item = serde_json::from_slice(&saved.item).map_err(|e| {
            Error::halt(format!("the spooled item {} cannot be read back", saved.key)).caused_by(e)
        });
        Some(item.map(|item| Saved {
            key: saved.key,
            seq: saved.seq,
            content: saved.content,
            item,
        }))
    }
}
