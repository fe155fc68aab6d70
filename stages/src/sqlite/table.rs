//! `Table`: rows in the mill's SQLite file, staged as items pass and published all at once.

use super::ascent::Ascent;
use super::schema::{self, RUN, staging};
use super::value;
use crate::shape::{Column, columns};
use std::marker::PhantomData;
use std::sync::Arc;
use tidemill_pipeline::ledger::{Read, Tx, params, params_from_iter, quoted, types::Value};
use tidemill_pipeline::sink::{Origin, Write};
use tidemill_pipeline::{Context, Fingerprint, Item, LedgerSink, Result, Step};

/// A table by its name; say what it is keyed by.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
}

impl Table {
    /// The table of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Keyed by this field: a row with the same key replaces the one that is there.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use tidemill_stages::sqlite::Table;
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Row { url: String, words: u32 }
    /// let table = Table::named("rows").keyed_by::<Row>("url");
    /// # let _ = table;
    /// ```
    pub fn keyed_by<T: Item>(self, field: impl Into<String>) -> Keyed<T> {
        let columns = columns::<T>();
        let all = columns.as_deref().unwrap_or_default();
        let key = field.into();
        // A table without its key is refused before the run.
        let key_no = all.iter().position(|column| column.name == key).unwrap_or_default();
        Keyed {
            insert: Arc::from(insert(&self.name, all)),
            key_no,
            ascent: Ascent::default(),
            columns: Arc::new(columns),
            name: self.name,
            key,
            item: PhantomData,
        }
    }
}

/// A table whose rows are items of type `T`: its columns come from the type itself.
///
/// Fields become columns: numbers, text and bools as such, lists and structs as JSON text. A field
/// that is new becomes a nullable column; one that went leaves NULL. A changed type or key is
/// refused before the run. Each row says in `_run` which run wrote it.
#[derive(Debug)]
pub struct Keyed<T> {
    name: String,
    key: String,
    columns: Arc<Result<Vec<Column>>>,
    /// The statement that stages a row, written once.
    insert: Arc<str>,
    /// Where the key is among the columns.
    key_no: usize,
    ascent: Ascent,
    item: PhantomData<fn(T)>,
}

impl<T: Item> Keyed<T> {
    /// Whether all staged rows of the run came in the order of their keys, so that none came twice.
    fn came_ascending(&self, tx: &Tx<'_>, staged: &str, run_no: i64) -> Result<bool> {
        let Some(rows) = self.ascent.rows(run_no) else { return Ok(false) };
        // Rows of an attempt before this one are not counted here: then nothing is known.
        let sql = format!("SELECT count(*) FROM {staged} WHERE tm_run = ?1");
        Ok(tx.one(&sql, params![run_no], |row| row.get::<_, u64>(0))? == Some(rows))
    }

    fn columns(&self) -> Result<&[Column]> {
        self.columns.as_deref().map_err(tidemill_pipeline::Error::told_again)
    }
}

impl<T: Item> Step for Keyed<T> {
    fn name(&self) -> &str {
        "table"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(&self.name, &self.key))
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        let (name, key, columns) = (self.name.clone(), self.key.clone(), self.columns()?.to_vec());
        cx.ledger().transaction(move |tx| schema::ensure(tx, &name, &key, &columns)).await?;
        Ok(self.fingerprint())
    }
}

impl<T: Item> LedgerSink<T> for Keyed<T> {
    fn check(&self, read: &Read<'_>) -> Result<()> {
        schema::check(read, &self.name, &self.key, self.columns()?)
    }

    fn stage(&self, item: &T, origin: Origin) -> Result<Write> {
        let columns = self.columns()?;
        let mut row =
            vec![Value::Integer(origin.run_no), Value::Integer(i64::try_from(origin.seq)?)];
        row.extend(value::row(item, columns, &self.key)?);
        if let Some(key) = row.get(self.key_no + 2) {
            self.ascent.step(origin.run_no, key);
        }
        let sql = Arc::clone(&self.insert);
        Ok(Box::new(move |tx| tx.execute(&sql, params_from_iter(row)).map(|_| ())))
    }

    fn publish(&self, tx: &Tx<'_>, origin: &Origin) -> Result<u64> {
        let columns = self.columns()?;
        let (table, staged, key) = (quoted(&self.name), staging(&self.name), quoted(&self.key));
        let mut others: Vec<String> = columns.iter().map(|c| quoted(&c.name)).collect();
        others.retain(|name| *name != key);
        // Columns that the type no longer has: no old value may stand beside a new row's.
        let gone: Vec<String> =
            schema::gone(tx, &self.name, columns)?.iter().map(|name| quoted(name)).collect();
        let set = others.iter().map(|name| format!("{name} = excluded.{name}"));
        let set = set.chain(gone.iter().map(|name| format!("{name} = NULL")));
        let differs = others.iter().map(|name| format!("{table}.{name} IS NOT excluded.{name}"));
        let differs = differs.chain(gone.iter().map(|name| format!("{table}.{name} IS NOT NULL")));
        let (set, differs) = (set.collect::<Vec<_>>(), differs.collect::<Vec<_>>());
        let conflict = if set.is_empty() {
            "DO NOTHING".to_string()
        } else {
            let (set, differs) = (set.join(", "), differs.join(" OR "));
            format!("DO UPDATE SET {set}, {RUN} = excluded.{RUN} WHERE {differs}")
        };
        // In the order of the keys, so that the table's pages are filled one behind the other. When a
        // key comes twice, the row with the highest seq wins: SQLite takes the other columns from the
        // row that holds the maximum. A row that is as it was is no change. Rows of items that did
        // not get through are not published.
        let names = names(columns);
        let rows = format!(
            "{staged} WHERE tm_run = ?1 AND tm_seq NOT IN (SELECT seq FROM tm_items
                WHERE run_no = ?1 AND state < 4 AND state <> 1)"
        );
        let rows = if self.came_ascending(tx, &staged, origin.run_no)? {
            format!("{rows} ORDER BY tm_seq")
        } else {
            format!("(SELECT {names}, max(tm_seq) FROM {rows} GROUP BY {key}) WHERE true")
        };
        let sql = format!(
            "INSERT INTO {table} ({names}, {RUN}) SELECT {names}, ?2 FROM {rows} ON CONFLICT ({key}) {conflict}"
        );
        let changed = tx.keeping_replaced(&self.name, origin.run_no, |tx| {
            tx.execute(&sql, params![origin.run_no, origin.run])
        })?;
        Ok(changed as u64)
    }

    fn table(&self) -> &str {
        &self.name
    }
}

/// The statement that stages a row.
fn insert(table: &str, columns: &[Column]) -> String {
    let marks = vec!["?"; columns.len() + 2].join(", ");
    let (staging, names) = (staging(table), names(columns));
    format!("INSERT OR REPLACE INTO {staging} (tm_run, tm_seq, {names}) VALUES ({marks})")
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|c| quoted(&c.name)).collect::<Vec<_>>().join(", ")
}
