//! Snapshots: a new SQLite file with a pipeline's published tables and nothing else.

use super::tx::{Read, quoted, refused};
use crate::tier::atomic;
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags, params};
use std::path::Path;

/// Writes the tables as they are in one read transaction into a new file, checks it, and gives it
/// its name by rename.
///
/// # Errors
/// When a table cannot be read, the file cannot be written, or the integrity check says anything
/// but `ok`.
pub(crate) fn write_snapshot(ledger: &Path, tables: &[String], target: &Path) -> Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    // Removed again on every way out but the last; what a kill leaves goes with the run's folder.
    let temp = tempfile::Builder::new().prefix(".").suffix(".temp").tempfile_in(folder)?;
    let temp = temp.into_temp_path();
    fill(ledger, tables, &temp)?;
    check(&temp)?;
    std::fs::File::open(&temp)?.sync_all()?;
    if target.exists() {
        std::fs::remove_file(target)?; // of the same run, before its offload: a snapshot is made anew
    }
    atomic::rename(&temp, target)
}

fn fill(ledger: &Path, tables: &[String], temp: &Path) -> Result<()> {
    let connection = Connection::open(temp).map_err(|e| refused("open", e))?;
    let run = |sql: &str| connection.execute_batch(sql).map_err(|e| refused(sql, e));
    run("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF;")?;
    connection
        .execute("ATTACH ?1 AS ledger", params![ledger.to_string_lossy()])
        .map_err(|e| refused("ATTACH", e))?;
    run("BEGIN")?;
    for table in tables {
        let sql = "SELECT sql FROM ledger.sqlite_schema WHERE type = 'table' AND name = ?1";
        let made = Read(&connection).one(sql, params![table], |row| row.get::<_, String>(0))?;
        let Some(made) = made else {
            return Err(Error::halt(format!("the published table `{table}` is not in the ledger")));
        };
        run(&made)?;
        let name = quoted(table);
        run(&format!("INSERT INTO main.{name} SELECT * FROM ledger.{name}"))?;
    }
    run("COMMIT")?;
    run("DETACH ledger")
}

fn check(file: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|e| refused("open", e))?;
    let answer: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(|e| refused("PRAGMA integrity_check", e))?;
    if answer == "ok" {
        return Ok(());
    }
    Err(Error::halt(format!("the snapshot {} is not sound: {answer}", file.display()))
        .because("snapshot_bad")
        .help("check the disk that holds the mill's home"))
}
