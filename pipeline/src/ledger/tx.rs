//! Thin handles to SQLite: `Read` for queries, `Tx` for writes inside the writer's transaction.

use crate::{Error, Result};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row};

/// A name as SQL takes it whatever is in it: in double quotes.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Queries on a connection or inside a transaction; statements are prepared once.
#[derive(Debug)]
pub struct Read<'a>(pub(super) &'a Connection);

impl Read<'_> {
    /// The first row, if there is one.
    ///
    /// # Errors
    /// When SQLite refuses the query.
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.0.prepare_cached(sql).map_err(|e| refused(sql, e))?;
        statement.query_row(params, row).optional().map_err(|e| refused(sql, e))
    }

    /// All rows.
    ///
    /// # Errors
    /// When SQLite refuses the query.
    pub fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.0.prepare_cached(sql).map_err(|e| refused(sql, e))?;
        let rows = statement.query_map(params, row).map_err(|e| refused(sql, e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| refused(sql, e))
    }

    /// Calls `each` for every row, without holding them all.
    ///
    /// # Errors
    /// When SQLite refuses the query, or with the first error of `each`.
    pub fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql).map_err(|e| refused(sql, e))?;
        let mut rows = statement.query(params).map_err(|e| refused(sql, e))?;
        while let Some(row) = rows.next().map_err(|e| refused(sql, e))? {
            each(row)?;
        }
        Ok(())
    }
}

/// Writes inside a transaction of the writer; it reads too.
#[derive(Debug)]
pub struct Tx<'a>(pub(super) Read<'a>);

impl<'a> std::ops::Deref for Tx<'a> {
    type Target = Read<'a>;

    fn deref(&self) -> &Read<'a> {
        &self.0
    }
}

impl Tx<'_> {
    /// Runs one statement; returns how many rows it changed.
    ///
    /// # Errors
    /// When SQLite refuses it: a full disk, a constraint, an error in the statement.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        let mut statement = self.0.0.prepare_cached(sql).map_err(|e| refused(sql, e))?;
        statement.execute(params).map_err(|e| refused(sql, e))
    }

    /// Runs several statements without parameters.
    ///
    /// # Errors
    /// As [`execute`](Tx::execute).
    pub fn batch(&self, sql: &str) -> Result<()> {
        self.0.0.execute_batch(sql).map_err(|e| refused(sql, e))
    }
}

/// A column that holds JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e.into())
    })
}

/// An SQLite error in our words; all of them halt, since a ledger that does not write remembers
/// nothing.
pub(super) fn refused(sql: &str, error: rusqlite::Error) -> Error {
    let code = error.sqlite_error_code();
    let first = sql.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    let halt = Error::halt(format!("the ledger refused `{first} …`")).caused_by(error);
    match code {
        Some(ErrorCode::DiskFull) => halt
            .because("disk_full")
            .help("free some space on the disk of the mill's home, then run again: it goes on where it was"),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => halt
            .because("ledger_read_only")
            .help("make the mill's home writable for this user, then run again"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => halt
            .because("ledger_busy")
            .help("another program holds tidemill.db; close it and run again"),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => halt
            .because("ledger_corrupt")
            .help("keep the file; a new home can use the same archive, and the tables are in its sqlite/ folder"),
        _ => halt.because("ledger"),
    }
}
