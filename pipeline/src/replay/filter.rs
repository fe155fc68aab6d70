//! `--where`: an expression of SQLite over what is known of an archived item before it is read.

use super::selection::Selection;
use super::shelf::Shelf;
use crate::build::AnyReplay;
use crate::{Error, Result};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value as Json;

/// What every item has, whatever its dataset.
const OURS: [&str; 3] = ["key", "dt", "run"];

/// An expression that was read and fits the dataset's columns.
pub(crate) struct Filter {
    connection: Connection,
    sql: String,
    columns: Vec<String>,
}

impl Filter {
    /// The expression of a selection, when it has one; it is read against all columns on the shelf.
    ///
    /// # Errors
    /// As [`new`](Filter::new); when a file on the shelf cannot be read.
    pub(crate) fn of(
        selection: &Selection,
        reader: &dyn AnyReplay,
        shelf: &Shelf,
    ) -> Result<Option<Self>> {
        let Some(expression) = &selection.filter else { return Ok(None) };
        Self::new(expression, &reader.columns(&shelf.runs)?).map(Some)
    }

    /// Reads the expression; `columns` are those of the dataset.
    ///
    /// # Errors
    /// `usage` when it is no expression of SQLite, or names a column that is not there.
    pub(crate) fn new(expression: &str, columns: &[String]) -> Result<Self> {
        let columns: Vec<String> =
            columns.iter().filter(|column| names(expression, column)).cloned().collect();
        let all = OURS.into_iter().chain(columns.iter().map(String::as_str)).enumerate();
        let values: Vec<String> =
            all.map(|(n, name)| format!("?{} AS {}", n + 1, quoted(name))).collect();
        let sql = format!("SELECT ({expression}\n) FROM (SELECT {})", values.join(", "));
        // Nothing is in this database: an expression can reach no other data than the item's.
        let connection = Connection::open_in_memory().map_err(refused)?;
        connection.prepare(&sql).map(|_| ()).map_err(refused)?;
        Ok(Self { connection, sql, columns })
    }

    /// The columns of the dataset that it needs.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether an item is meant; `values` are those of [`columns`](Filter::columns).
    pub(crate) fn keeps(&self, key: &str, dt: &str, run: &str, values: &[Json]) -> Result<bool> {
        let ours = [key, dt, run].map(|text| Value::Text(text.to_string()));
        let bound = ours.into_iter().chain(values.iter().map(value));
        let mut statement = self.connection.prepare_cached(&self.sql).map_err(refused)?;
        let kept: Value =
            statement.query_row(params_from_iter(bound), |row| row.get(0)).map_err(refused)?;
        Ok(match kept {
            Value::Integer(n) => n != 0,
            Value::Real(n) => n != 0.0,
            Value::Null | Value::Text(_) | Value::Blob(_) => false,
        })
    }
}

/// Whether the expression may speak of this column: its name stands in it.
fn names(expression: &str, column: &str) -> bool {
    let (text, column) = (expression.to_lowercase(), column.to_lowercase());
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&column).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + column.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Integer(i64::from(*yes)),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(n) => n
            .as_i64()
            .map(Value::Integer)
            .or_else(|| n.as_f64().map(Value::Real))
            .unwrap_or(Value::Null),
        other => Value::Text(other.to_string()),
    }
}

fn refused(error: rusqlite::Error) -> Error {
    let why = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg, // without our own SQL around it
        other => other.to_string(),
    };
    Error::halt(format!("--where is no expression that fits: {why}"))
        .because("usage")
        .help("write it as in a WHERE of SQLite, for instance \"url LIKE '%/2026/%'\"; `dataset schema` shows the columns, and there are `key`, `dt` and `run`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_expression_needs_only_the_columns_that_it_names() {
        let columns = ["url", "status", "size", "my title"].map(str::to_string);
        let filter = Filter::new("status >= 300 OR \"my title\" LIKE '%tide%'", &columns).unwrap();
        assert_eq!(filter.columns(), ["status", "my title"]);
        let keeps = |status, title| {
            filter.keeps("k", "2026-01-01", "r", &[json!(status), json!(title)]).unwrap()
        };
        assert!(keeps(404, "x") && keeps(200, "High Tide"));
        assert!(!keeps(200, "x"));
    }

    #[test]
    fn key_date_and_run_are_always_there_and_nothing_is_true_of_null() {
        let filter = Filter::new("dt > '2026-01-01' AND key <> run -- why", &[]).unwrap();
        assert!(filter.keeps("k", "2026-01-02", "r", &[]).unwrap());
        assert!(!filter.keeps("r", "2026-01-02", "r", &[]).unwrap());
        let filter = Filter::new("n > 1", &["n".to_string()]).unwrap();
        assert!(!filter.keeps("k", "d", "r", &[Json::Null]).unwrap());
    }

    #[test]
    fn what_is_no_expression_is_refused_with_the_reason() {
        for bad in ["colour = 'red'", "1) FROM sqlite_schema; --", "select", ""] {
            let error = Filter::new(bad, &["url".to_string()]).err().unwrap();
            assert_eq!(error.reason(), "usage", "{bad}");
        }
    }
}
