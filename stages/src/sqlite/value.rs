//! Items as SQL values, column by column.

use crate::shape::{Column, Kind};
use serde::Serialize;
use serde_json::Value as Json;
use tidemill_pipeline::ledger::types::Value;
use tidemill_pipeline::{Error, Result};

/// The values of an item in the order of the columns; the key must not be null.
pub(super) fn row(item: &impl Serialize, columns: &[Column], key: &str) -> Result<Vec<Value>> {
    let Json::Object(mut fields) = serde_json::to_value(item)? else {
        return Err(Error::park("the item is no object with fields").because("row_does_not_fit"));
    };
    if fields.get(key).is_none_or(Json::is_null) {
        return Err(Error::park(format!("the row has no `{key}`, by which the table is keyed"))
            .because("row_does_not_fit")
            .help("fill the field in a step before the table, or key the table by another one"));
    }
    columns
        .iter()
        .map(|column| value(column, fields.remove(&column.name).unwrap_or(Json::Null)))
        .collect()
}

fn value(column: &Column, json: Json) -> Result<Value> {
    Ok(match (column.kind, json) {
        (_, Json::Null) => Value::Null,
        (Kind::Bool, Json::Bool(flag)) => Value::Integer(i64::from(flag)),
        (Kind::Integer, Json::Number(n)) if n.as_i64().is_some() => {
            Value::Integer(n.as_i64().unwrap_or_default())
        }
        (Kind::Real, Json::Number(n)) if n.as_f64().is_some() => {
            Value::Real(n.as_f64().unwrap_or_default())
        }
        (Kind::Text, Json::String(text)) => Value::Text(text),
        (Kind::Text | Kind::Json, json) => Value::Text(json.to_string()),
        (kind, json) => {
            return Err(Error::park(format!(
                "`{}` is {json}, which is no {kind:?} of 64 bits",
                column.name
            ))
            .because("row_does_not_fit")
            .help("give the field another type, or map the value before the table"));
        }
    })
}
