//! The reference for what is written: SQLite by hand, as durable as the ledger.

use rusqlite::{Connection, Statement};
use std::path::Path;
use tidemill_pipeline::{Error, Result};

/// Rows in one transaction.
const BATCH: u64 = 4096;

/// A new database with the pragmas of the ledger that bear on its speed.
pub(crate) fn open(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("bare.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -32768;
         PRAGMA wal_autocheckpoint = 4000;",
    )?;
    Ok(connection)
}

/// Calls `row` for 1, 2, … `rows` with a prepared statement, so many in each transaction.
pub(crate) fn insert(
    connection: &mut Connection,
    sql: &str,
    rows: u64,
    mut row: impl FnMut(&mut Statement<'_>, u64) -> Result<()>,
) -> Result<()> {
    let mut next = 1;
    while next <= rows {
        let end = rows.min(next + BATCH - 1);
        let transaction = connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(sql)?;
            (next..=end).try_for_each(|n| row(&mut statement, n))?;
        }
        transaction.commit()?;
        next = end + 1;
    }
    Ok(())
}

/// Makes sure that a table has so many rows: a bench that loses some is quick for nothing.
pub(crate) fn counted(connection: &Connection, table: &str, rows: u64) -> Result<()> {
    let sql = format!("SELECT count(*) FROM {table}");
    let found: u64 = connection.query_row(&sql, [], |row| row.get(0))?;
    if found == rows {
        return Ok(());
    }
    Err(Error::halt(format!("{table} has {found} rows instead of {rows}")))
}
