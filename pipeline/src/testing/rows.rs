//! A look into an SQLite file, as any other program has it.

use crate::Result;
use crate::ledger::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use std::path::Path;
use std::time::Duration;

/// The rows that a query on an SQLite file yields, each as `a|b|c`; a missing value is `NULL`.
///
/// The file is opened for this query alone and read-only: what another connection has not
/// committed yet is not to be seen.
///
/// # Errors
/// When the file is not there, or SQLite refuses the query.
pub fn rows(file: &Path, sql: &str) -> Result<Vec<String>> {
    let file = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    file.busy_timeout(Duration::from_secs(5))?;
    let mut statement = file.prepare(sql)?;
    let columns = statement.column_count();
    let all = statement.query_map([], |row| {
        (0..columns).map(|column| shown(row, column)).collect::<rusqlite::Result<Vec<_>>>()
    })?;
    all.map(|row| Ok(row?.join("|"))).collect()
}

fn shown(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(n) => n.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into(),
    })
}
