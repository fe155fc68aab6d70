//! Schema versions: the ledger's own by `user_version`, a stage's tables by component.

use super::tx::{Read, Tx, refused};
use crate::{Error, Result};
use rusqlite::{Connection, params};

/// One script per version; script n brings a ledger from version n to n + 1.
const SCRIPTS: &[&str] = &[
    include_str!("schema_001.sql"),
    include_str!("schema_002.sql"),
    include_str!("schema_003.sql"),
    include_str!("schema_004.sql"),
];

/// "tide" in ASCII: lets `file` and us recognise a ledger.
const APPLICATION_ID: i32 = 0x7469_6465;

/// Brings the ledger to this program's version.
pub(super) fn migrate(connection: &mut Connection, newborn: &str) -> Result<()> {
    let found = pragma(connection, "user_version")?;
    let Ok(found) = usize::try_from(found) else {
        return Err(Error::halt(format!("the ledger has the impossible version {found}")));
    };
    if found > SCRIPTS.len() {
        return Err(Error::halt(format!(
            "the ledger has version {found}, this program knows versions up to {}",
            SCRIPTS.len()
        ))
        .because("ledger_newer")
        .help("use the newer tidemill that wrote this home"));
    }
    if found == 0 {
        foreign(connection)?;
    }
    for (version, script) in SCRIPTS.iter().enumerate().skip(found) {
        let sql = format!(
            "BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}; COMMIT;",
            version + 1
        );
        connection.execute_batch(&sql).map_err(|e| refused("migrate", e))?;
    }
    // In a statement of its own: a ledger that was killed before it has no id, and gets one now.
    connection
        .execute("INSERT OR IGNORE INTO tm_meta VALUES ('mill', ?1)", params![newborn])
        .map_err(|e| refused("INSERT mill", e))?;
    Ok(())
}

/// Refuses a ledger of another version, for those who only look.
pub(super) fn same_version(read: &Read<'_>) -> Result<()> {
    let sql = "SELECT user_version FROM pragma_user_version";
    let found = read.one(sql, [], |row| row.get::<_, i64>(0))?.unwrap_or_default();
    if usize::try_from(found) == Ok(SCRIPTS.len()) {
        return Ok(());
    }
    Err(Error::halt(format!("the ledger has version {found}, this program's is {}", SCRIPTS.len()))
        .because("ledger_version")
        .help("the next run of the newest tidemill brings it up to date; look with that one"))
}

/// Refuses a database that another program made.
fn foreign(connection: &Connection) -> Result<()> {
    let id = pragma(connection, "application_id")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| refused("SELECT count(*)", e))?;
    if tables == 0 || id == i64::from(APPLICATION_ID) {
        return Ok(());
    }
    Err(Error::halt("tidemill.db in this home is a database of another program")
        .because("ledger_foreign")
        .help("choose another home with --home DIR"))
}

fn pragma(connection: &Connection, name: &str) -> Result<i64> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(|e| refused(&format!("PRAGMA {name}"), e))
}

/// Brings a component's own tables to the newest of its scripts.
pub(super) fn component(tx: &Tx<'_>, name: &str, scripts: &[&str]) -> Result<()> {
    let sql = "SELECT version FROM tm_schemas WHERE component = ?1";
    let found = tx.one(sql, params![name], |row| row.get::<_, i64>(0))?.unwrap_or(0);
    for (version, script) in (1_i64..).zip(scripts).filter(|(version, _)| *version > found) {
        tx.batch(script)?;
        tx.execute(
            "INSERT INTO tm_schemas VALUES (?1, ?2) ON CONFLICT DO UPDATE SET version = ?2",
            params![name, version],
        )?;
    }
    Ok(())
}
