//! The ledger handle: opened once per home, cloned freely, written through one thread.

use super::readers::Readers;
use super::tx::{Read, Tx, refused};
use super::writer::{self, Broken, Op, Queued};
use super::{migrate, runs};
use crate::channel::{self, Census};
use crate::{Error, Result};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::oneshot;

/// The queue of the writer is full with so many writes, or with 32 MiB.
const QUEUE: u32 = 8192;
const UNIT: usize = 4096;

/// The ledger of one home. Cloning is cheap; all clones write through the same thread.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// `None` when it was opened to look at it only.
    queue: Option<channel::Sender<Queued>>,
    broken: Broken,
    readers: Arc<Readers>,
    path: Arc<PathBuf>,
    // Last field: dropped after the queue, it waits for the writer's last commit.
    _thread: Option<Arc<Thread>>,
}

#[derive(Debug)]
struct Thread(Mutex<Option<std::thread::JoinHandle<()>>>, Census<Queued>);

impl Drop for Thread {
    fn drop(&mut self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Only when no other sender is left, or the writer would never end.
        if self.1.senders() == 0
            && let Some(handle) = handle
            && handle.join().is_err()
        {
            tracing::error!("the ledger's writer panicked");
        }
    }
}

impl Ledger {
    /// Opens or creates the ledger file and starts its writer. A new ledger is given the mill id
    /// `newborn`.
    ///
    /// # Errors
    /// When the file cannot be opened, is of a newer tidemill, or is not a ledger.
    pub fn open(path: &Path, newborn: &str) -> Result<Self> {
        let mut connection = Connection::open(path).map_err(|e| refused("open", e))?;
        connection
            .execute_batch(
                "PRAGMA busy_timeout = 5000;
                 PRAGMA auto_vacuum = INCREMENTAL;
                 PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA fullfsync = ON;
                 PRAGMA checkpoint_fullfsync = ON;
                 PRAGMA temp_store = FILE;
                 PRAGMA recursive_triggers = ON; -- so that REPLACE fires those that watch deletes
                 PRAGMA cache_size = -32768;
                 PRAGMA wal_autocheckpoint = 4000;
                 PRAGMA journal_size_limit = 67108864;",
            )
            .map_err(|e| refused("PRAGMA", e))?;
        tune(&connection)?;
        migrate::migrate(&mut connection, newborn)?;
        runs::interrupt(&Tx(Read(&connection)))?;

        let (queue, receiver) = channel::channel(QUEUE, UNIT);
        let broken = Broken::default();
        let watched = broken.clone();
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || writer::run(connection, receiver, &watched))
            .map_err(|e| Error::halt("no thread for the ledger's writer").caused_by(e))?;
        Ok(Self {
            _thread: Some(Arc::new(Thread(Mutex::new(Some(thread)), queue.census()))),
            queue: Some(queue),
            broken,
            readers: Arc::new(Readers::new(path.to_path_buf())),
            path: Arc::new(path.to_path_buf()),
        })
    }

    /// Opens a ledger to look at it: nothing is made, migrated or written, no lock is needed.
    ///
    /// # Errors
    /// When it cannot be opened, or is of another version of tidemill.
    pub fn look(path: &Path) -> Result<Self> {
        let readers = Readers::new(path.to_path_buf());
        readers.read(migrate::same_version)?;
        Ok(Self {
            queue: None,
            broken: Broken::default(),
            readers: Arc::new(readers),
            path: Arc::new(path.to_path_buf()),
            _thread: None,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length and time of its write-ahead log: whoever writes into the ledger changes them, this
    /// program or another. `None` where there is none.
    #[must_use]
    pub fn log(&self) -> Option<(u64, SystemTime)> {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        let meta = Path::new(&log).metadata().ok()?;
        Some((meta.len(), meta.modified().ok()?))
    }

    /// Queues a write and returns when it has a place in the queue, not when it is durable.
    ///
    /// # Errors
    /// When an earlier write failed; nothing is written after a failure.
    pub async fn write(
        &self,
        bytes: usize,
        op: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.broken.check()?;
        self.send(Queued { op: Box::new(op), bytes, ack: None, alone: false }).await
    }

    /// Writes and returns when it is durable, with what the statements answered.
    ///
    /// # Errors
    /// With the error of the statements (then they had no effect), or of the commit.
    pub async fn commit<T: Send + 'static>(
        &self,
        op: impl FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.acknowledged(false, op).await
    }

    /// As [`commit`](Ledger::commit), in a transaction of its own.
    ///
    /// # Errors
    /// As [`commit`](Ledger::commit).
    pub async fn transaction<T: Send + 'static>(
        &self,
        op: impl FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.acknowledged(true, op).await
    }

    async fn acknowledged<T: Send + 'static>(
        &self,
        alone: bool,
        op: impl FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (ack, durable) = oneshot::channel();
        let slot = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&slot);
        let op: Op = Box::new(move |tx| {
            let value = op(tx)?;
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        self.send(Queued { op, bytes: 0, ack: Some(ack), alone }).await?;
        durable.await.map_err(|_| gone())??;
        let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(gone)
    }

    /// Returns when everything queued so far is durable.
    ///
    /// # Errors
    /// When a queued write failed.
    pub async fn flush(&self) -> Result<()> {
        self.commit(|_| Ok(())).await
    }

    async fn send(&self, queued: Queued) -> Result<()> {
        let Some(queue) = &self.queue else {
            return Err(
                Error::halt("the ledger was opened to look at it only").because("not_owner")
            );
        };
        let bytes = queued.bytes;
        queue.send(queued, bytes).await.map_err(|_| gone())
    }

    /// Runs a query on a read-only connection, off the async threads.
    ///
    /// # Errors
    /// With the error of the query.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Read<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let readers = Arc::clone(&self.readers);
        tokio::task::spawn_blocking(move || readers.read(query))
            .await
            .map_err(|e| Error::halt("a ledger query panicked").caused_by(e))?
    }

    /// Runs a query on a read-only connection, on this thread.
    ///
    /// # Errors
    /// With the error of the query.
    pub fn read_now<T>(&self, query: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
        self.readers.read(query)
    }

    /// Goes on after a write had failed: only when nothing is at work that relied on that write.
    pub(crate) fn mend(&self) {
        self.broken.mend();
    }

    /// Brings a component's own tables (their names begin `tm_`) to the newest of its scripts. Rows
    /// with a column `run_no` go when their run is archived and can no longer be taken back.
    ///
    /// # Errors
    /// When a script fails.
    pub async fn schema(
        &self,
        component: &'static str,
        scripts: &'static [&'static str],
    ) -> Result<()> {
        self.transaction(move |tx| migrate::component(tx, component, scripts)).await
    }
}

/// What every connection to the ledger wants: statements are prepared once, and not again because
/// other values are bound (which a partial index would make SQLite do at each write).
pub(super) fn tune(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(128);
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(|_| ())
        .map_err(|e| refused("configure", e))
}

fn gone() -> Error {
    Error::halt("the ledger's writer is gone").because("ledger")
}
