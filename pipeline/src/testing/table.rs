//! What the suite for ledger sinks sees of a table, and the order in which it stages rows.

use super::breach::{breach, some_of};
use super::rig::Rig;
use super::rows::rows;
use crate::Result;
use crate::ledger::ItemState;
use crate::run::{Event, Progress};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The table that the suite looks at.
pub(super) struct Table<'a> {
    pub(super) rig: &'a Rig,
    pub(super) look: Look,
    pub(super) pipeline: String,
}

impl Table<'_> {
    /// The published rows.
    pub(super) fn current(&self) -> Result<Vec<String>> {
        self.look.rows()?.ok_or_else(|| {
            let seen = format!("after the publish there is no table `{}`", self.look.table);
            breach("table_missing", seen, "let `table` say the name that `publish` fills")
        })
    }

    /// Checks that there are as many rows as were given.
    pub(super) fn holds(&self, found: &[String], given: usize) -> Result<()> {
        let rule = match found.len() {
            n if n < given => "rows_missing",
            n if n > given => "rows_doubled",
            _ => return Ok(()),
        };
        let seen = format!("of {given} rows {} are published: {}", found.len(), some_of(found));
        Err(breach(rule, seen, "publish each staged row of the run, once"))
    }

    /// Checks that the published rows are as they were.
    pub(super) fn unchanged(
        &self,
        before: &[String],
        rule: &str,
        seen: &str,
        cure: &str,
    ) -> Result<()> {
        let found = self.current()?;
        if found == before {
            return Ok(());
        }
        let new: Vec<_> = found.iter().filter(|row| !before.contains(row)).collect();
        let seen = match new.len() {
            0 => format!("{seen}: {} rows of {}", found.len(), before.len()),
            _ => format!("{seen}: {}", some_of(new)),
        };
        Err(breach(rule, seen, cure))
    }
}

/// What any other program sees of the table.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) file: PathBuf,
    pub(super) table: String,
}

impl Look {
    /// The rows in an order of their own; `None` when there is no such table.
    pub(super) fn rows(&self) -> Result<Option<Vec<String>>> {
        let name = self.table.replace('\'', "''");
        let sql = format!("SELECT 1 FROM sqlite_schema WHERE name = '{name}'");
        if rows(&self.file, &sql)?.is_empty() {
            return Ok(None);
        }
        let sql = format!("SELECT * FROM {}", crate::ledger::quoted(&self.table));
        let mut all = rows(&self.file, &sql)?;
        all.sort();
        Ok(Some(all))
    }
}

/// Opens a gate when the item with this key has come to its end.
pub(super) struct OpensBehind {
    pub(super) key: &'static str,
    pub(super) gate: Arc<Semaphore>,
}

impl Progress for OpensBehind {
    fn event(&self, event: &Event<'_>) {
        let Event::Settled { state: ItemState::Done | ItemState::Parked, key, .. } = event else {
            return;
        };
        if *key == self.key {
            self.gate.add_permits(1);
        }
    }
}
