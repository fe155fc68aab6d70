//! Who serves this home: noted for those who look from outside.

use super::{Read, Tx};
use crate::Result;
use crate::mill::Owner;
use rusqlite::params;

/// Its name in `tm_meta`.
const SERVER: &str = "server";

/// The process that serves this home, if one does.
///
/// # Errors
/// When the ledger refuses.
pub fn server(read: &Read<'_>) -> Result<Option<Owner>> {
    let sql = "SELECT value FROM tm_meta WHERE name = ?1";
    let owner = read.one(sql, [SERVER], |row| super::tx::json::<Owner>(row, 0))?;
    Ok(owner.filter(Owner::is_there))
}

/// Writes down which process serves this home; `None` when it ends.
pub(crate) fn set_server(tx: &Tx<'_>, owner: Option<&Owner>) -> Result<()> {
    let Some(owner) = owner else {
        return tx.execute("DELETE FROM tm_meta WHERE name = ?1", [SERVER]).map(|_| ());
    };
    let sql = "INSERT INTO tm_meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
    tx.execute(sql, params![SERVER, serde_json::to_string(owner)?]).map(|_| ())
}
