//! The one writer: a thread that runs queued writes in order and commits them in groups.
//!
//! A group is whatever queued while the last commit ran, up to 4 096 writes or 4 MiB; there is no
//! timer. Order in the file is the order of the queue, so what is durable is always a prefix.

use super::tx::{Read, Tx, refused};
use crate::channel::Receiver;
use crate::{Error, Result, crash};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const GROUP_WRITES: usize = 4096;
const GROUP_BYTES: usize = 4 << 20;

pub(super) type Op = Box<dyn FnOnce(&Tx<'_>) -> Result<()> + Send>;

/// One queued write.
pub(super) struct Queued {
    /// The statements.
    pub(super) op: Op,
    /// About how many bytes it writes.
    pub(super) bytes: usize,
    /// Told when the write is durable, or why it is not.
    pub(super) ack: Option<oneshot::Sender<Result<()>>>,
    /// Runs in a transaction of its own.
    pub(super) alone: bool,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queued").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Why the writer stopped writing, if it did: the first error of a write nobody waited for.
#[derive(Debug, Default, Clone)]
pub(super) struct Broken(Arc<Mutex<Option<Error>>>);

impl Broken {
    /// The error that every later write meets.
    pub(super) fn check(&self) -> Result<()> {
        let broken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        broken.as_ref().map_or(Ok(()), |error| Err(error.told_again()))
    }

    /// Forgets the error.
    pub(super) fn mend(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn set(&self, error: Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// After so much writing without a pause there is one …
const STRETCH: Duration = Duration::from_millis(1500);
/// … long enough for another program that waits for the file: SQLite looks again every 100 ms.
const GAP: Duration = Duration::from_millis(105);

/// Runs until the last sender is gone.
pub(super) fn run(mut connection: Connection, mut queue: Receiver<Queued>, broken: &Broken) {
    let mut held = None;
    let mut since = Instant::now();
    while let Some(first) = held.take().or_else(|| next(&mut queue, &mut since)) {
        let mut group = vec![first];
        let mut bytes = group[0].bytes;
        while !group[0].alone && group.len() < GROUP_WRITES && bytes < GROUP_BYTES {
            match queue.try_recv() {
                Some(next) if next.alone => {
                    held = Some(next);
                    break;
                }
                Some(next) => {
                    bytes += next.bytes;
                    group.push(next);
                }
                None => break,
            }
        }
        // A transaction of its own may be a long one: others go first.
        if group[0].alone && since.elapsed() > STRETCH / 4 {
            gap(&mut since);
        }
        commit(&mut connection, group, broken);
        if since.elapsed() > STRETCH {
            gap(&mut since);
        }
    }
    // Fresh statistics for the planner, and a small WAL for who copies or looks at the file. What
    // fails here costs speed, never data.
    let last = "PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)";
    if let Err(error) = connection.execute_batch(last) {
        tracing::debug!(%error, "the ledger was closed without its last checkpoint");
    }
}

/// Lets others get at the file.
fn gap(since: &mut Instant) {
    std::thread::sleep(GAP);
    *since = Instant::now();
}

/// The next write. While none is there others get at the file: the stretch begins anew.
fn next(queue: &mut Receiver<Queued>, since: &mut Instant) -> Option<Queued> {
    if let Some(next) = queue.try_recv() {
        return Some(next);
    }
    let begun = Instant::now();
    let next = queue.blocking_recv();
    if begun.elapsed() > GAP {
        *since = Instant::now();
    }
    next
}

/// Runs one group in one transaction and tells those who wait.
fn commit(connection: &mut Connection, group: Vec<Queued>, broken: &Broken) {
    let mut waiting = Vec::new();
    match try_commit(connection, group, broken, &mut waiting) {
        Ok(()) => {
            for (ack, result) in waiting {
                // The one who asked may be gone; the write stands all the same.
                let _ = ack.send(result);
            }
        }
        Err(error) => {
            broken.set(error);
            for (ack, _) in waiting {
                let _ = ack.send(broken.check());
            }
        }
    }
}

type Acks = Vec<(oneshot::Sender<Result<()>>, Result<()>)>;

fn try_commit(
    connection: &mut Connection,
    group: Vec<Queued>,
    broken: &Broken,
    waiting: &mut Acks,
) -> Result<()> {
    let mut group = group.into_iter();
    let begun = broken.check().and_then(|()| {
        connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(|e| refused("BEGIN IMMEDIATE", e))
    });
    let transaction = match begun {
        Ok(transaction) => transaction,
        Err(error) => {
            waiting.extend(group.filter_map(|queued| queued.ack).map(|ack| (ack, Ok(()))));
            return Err(error);
        }
    };
    let mut failed = None;
    for queued in group.by_ref() {
        let Some(ack) = queued.ack else {
            if let Err(error) = (queued.op)(&Tx(Read(&transaction))) {
                failed = Some(error);
                break;
            }
            continue;
        };
        if queued.alone {
            // Nothing else is in the transaction: it is undone as a whole when this fails.
            let result = (queued.op)(&Tx(Read(&transaction)));
            let failed = result.is_err();
            waiting.push((ack, result));
            return if failed {
                transaction.rollback().map_err(|e| refused("ROLLBACK", e))
            } else {
                finish(transaction)
            };
        }
        // Someone waits for this write: its failure is theirs alone, the group goes on.
        match savepoint(&transaction, queued.op) {
            Ok(result) => waiting.push((ack, result)),
            Err(error) => {
                waiting.push((ack, Ok(())));
                failed = Some(error);
                break;
            }
        }
    }
    waiting.extend(group.filter_map(|queued| queued.ack).map(|ack| (ack, Ok(()))));
    match failed {
        Some(error) => Err(error),
        None => finish(transaction),
    }
}

fn finish(transaction: rusqlite::Transaction<'_>) -> Result<()> {
    crash::point("ledger.begun");
    transaction.commit().map_err(|e| refused("COMMIT", e))?;
    crash::point("ledger.committed");
    Ok(())
}

/// Runs a write inside a savepoint. The outer error means that the savepoint itself failed.
fn savepoint(connection: &Connection, op: Op) -> Result<Result<()>> {
    let run = |sql: &str| connection.execute_batch(sql).map_err(|e| refused(sql, e));
    run("SAVEPOINT one")?;
    let result = op(&Tx(Read(connection)));
    if let Err(error) = &result
        && run("ROLLBACK TO one").is_err()
    {
        // A full disk has undone all of the transaction already: that is what is to be told.
        return Err(error.told_again());
    }
    run("RELEASE one")?;
    Ok(result)
}
