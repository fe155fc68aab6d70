//! Columns of a frame as the types that a dataset has, and as JSON values.

use super::schema::Type;
use polars::prelude::{Column, DataFrame, DataType, PolarsError};
use serde_json::Value as Json;
use std::path::Path;
use tidemill_pipeline::{Error, Result};

/// A column of a frame as this type; full of nulls when the frame has none of this name.
pub(super) fn typed(frame: &DataFrame, name: &str, holds: Type) -> Result<Column, PolarsError> {
    let wanted = holds.polars();
    match frame.column(name) {
        Ok(column) if *column.dtype() == wanted => Ok(column.clone()),
        Ok(column) => column.strict_cast(&wanted),
        Err(_) => Ok(Column::full_null(name.into(), frame.height(), &wanted)),
    }
}

/// The values of a column. Numbers that JSON does not have (not a number, infinite) are `null`.
pub(super) fn json(column: &Column) -> Result<Vec<Json>, PolarsError> {
    let or_null = |value: Option<Json>| value.unwrap_or(Json::Null);
    Ok(match column.dtype() {
        DataType::Boolean => column.bool()?.iter().map(|v| or_null(v.map(Json::from))).collect(),
        DataType::Int64 => column.i64()?.iter().map(|v| or_null(v.map(Json::from))).collect(),
        DataType::Float64 => column.f64()?.iter().map(|v| or_null(v.map(Json::from))).collect(),
        DataType::String => column.str()?.iter().map(|v| or_null(v.map(Json::from))).collect(),
        DataType::Float32 => return json(&column.strict_cast(&DataType::Float64)?),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => {
            return json(&column.strict_cast(&DataType::Int64)?);
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            return json(&column.strict_cast(&DataType::Int64)?);
        }
        DataType::UInt64 => column.u64()?.iter().map(|v| or_null(v.map(Json::from))).collect(),
        _ => {
            // Dates, lists and the like, which only SQL makes: as text.
            let shown = |value: polars::prelude::AnyValue<'_>| match value {
                polars::prelude::AnyValue::Null => Json::Null,
                value => Json::from(value.to_string()),
            };
            (0..column.len()).map(|n| column.get(n).map(shown)).collect::<Result<_, _>>()?
        }
    })
}

/// A date as polars has it: days since 1970.
pub(super) fn days(date: chrono::NaiveDate) -> i32 {
    i32::try_from((date - chrono::NaiveDate::default()).num_days()).unwrap_or_default()
}

/// What is said when values cannot be read.
pub(super) fn unreadable(path: &Path, error: impl std::fmt::Display) -> Error {
    super::part::no_parquet(path, error)
}
