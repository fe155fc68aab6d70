//! A table's shape in the database: what is there, what is wanted, and whether they agree.

use crate::shape::{Column, Kind};
use tidemill_pipeline::ledger::{Read, Tx, quoted};
use tidemill_pipeline::{Error, Result};

/// The column that says which run wrote a row.
pub(super) const RUN: &str = "_run";

/// The staging table of a published one.
pub(super) fn staging(table: &str) -> String {
    quoted(&format!("tm_staged_{table}"))
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool | Kind::Integer => "INTEGER",
        Kind::Real => "REAL",
        Kind::Text | Kind::Json => "TEXT",
    }
}

/// A column as it is in the database.
struct Found {
    name: String,
    sql_type: String,
    key: bool,
}

fn found(read: &Read<'_>, table: &str) -> Result<Vec<Found>> {
    read.all("SELECT name, type, pk FROM pragma_table_info(?1)", [table], |row| {
        Ok(Found { name: row.get(0)?, sql_type: row.get(1)?, key: row.get::<_, i64>(2)? > 0 })
    })
}

/// Says whether rows of these columns fit the table that is there, if one is.
pub(super) fn check(read: &Read<'_>, table: &str, key: &str, columns: &[Column]) -> Result<()> {
    if table.is_empty() || table.starts_with("tm_") || table.starts_with("sqlite_") {
        return Err(misfit(table, "the name is reserved", "choose another name for the table"));
    }
    let ours =
        |c: &&Column| [RUN, "tm_run", "tm_seq"].iter().any(|o| c.name.eq_ignore_ascii_case(o));
    if let Some(column) = columns.iter().find(ours) {
        let why = format!("`{}` is written by tidemill", column.name);
        return Err(misfit(table, &why, "rename the field"));
    }
    if !columns.iter().any(|column| column.name == key) {
        let names: Vec<_> = columns.iter().map(|c| c.name.as_str()).collect();
        let help = format!("key it by one of: {}", names.join(", "));
        return Err(misfit(table, &format!("it has no field `{key}` to be keyed by"), &help));
    }
    let there = found(read, table)?;
    if there.is_empty() {
        return Ok(());
    }
    let old_key: Vec<_> = there.iter().filter(|f| f.key).map(|f| f.name.as_str()).collect();
    if old_key != [key] {
        let why = format!("it is keyed by `{}`, now `{key}` is wanted", old_key.join(", "));
        return Err(misfit(table, &why, "give the table a new name; the old one stays as it is"));
    }
    for column in columns {
        let same = there.iter().find(|f| f.name.eq_ignore_ascii_case(&column.name));
        if let Some(old) = same.filter(|f| f.sql_type != sql_type(column.kind)) {
            let why = format!(
                "column `{}` holds {}, now {} is wanted",
                column.name,
                old.sql_type,
                sql_type(column.kind)
            );
            return Err(misfit(table, &why, "give the field or the table a new name"));
        }
    }
    Ok(())
}

fn misfit(table: &str, why: &str, help: &str) -> Error {
    Error::halt(format!("the table `{table}` does not fit: {why}"))
        .because("table_misfit")
        .help(help)
}

/// Makes the table and its staging table, and adds columns that are new (nullable, without a value
/// in the rows that are there).
pub(super) fn ensure(tx: &Tx<'_>, table: &str, key: &str, columns: &[Column]) -> Result<()> {
    let column = |c: &Column| format!("{} {}", quoted(&c.name), sql_type(c.kind));
    let all = columns.iter().map(column).collect::<Vec<_>>().join(", ");
    tx.batch(&format!(
        "CREATE TABLE IF NOT EXISTS {} ({all}, {RUN} TEXT NOT NULL, PRIMARY KEY ({})) STRICT;
         CREATE TABLE IF NOT EXISTS {} (tm_run INTEGER NOT NULL, tm_seq INTEGER NOT NULL, {all},
           PRIMARY KEY (tm_run, tm_seq)) STRICT, WITHOUT ROWID;",
        quoted(table),
        quoted(key),
        staging(table),
    ))?;
    for (name, plain) in
        [(quoted(table), table.to_string()), (staging(table), format!("tm_staged_{table}"))]
    {
        let there = found(tx, &plain)?;
        for new in
            columns.iter().filter(|c| !there.iter().any(|f| f.name.eq_ignore_ascii_case(&c.name)))
        {
            tx.batch(&format!("ALTER TABLE {name} ADD COLUMN {}", column(new)))?;
        }
    }
    Ok(())
}

/// The table's columns that the type no longer has.
pub(super) fn gone(read: &Read<'_>, table: &str, columns: &[Column]) -> Result<Vec<String>> {
    let ours = |name: &str| {
        name == RUN || columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
    };
    let names = found(read, table)?.into_iter().map(|column| column.name);
    Ok(names.filter(|name| !ours(name)).collect())
}
