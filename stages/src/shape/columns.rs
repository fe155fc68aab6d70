//! Columns of a type, in the order of its fields.

use super::trace;
use serde::de::DeserializeOwned;
use tidemill_pipeline::{Error, Result};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number of up to 64 bits with sign.
    Integer,
    /// A floating-point number.
    Real,
    /// Text; also dates, URLs and names of enum variants.
    Text,
    /// Lists, maps and structs, as JSON text.
    Json,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be absent.
    pub nullable: bool,
}

/// The columns of a struct with named fields.
///
/// # Errors
/// *Halt* when the type is no such struct, or flattens another one into itself.
pub fn columns<T: DeserializeOwned>() -> Result<Vec<Column>> {
    let type_name = std::any::type_name::<T>();
    let fields = trace::fields::<T>().ok_or_else(|| {
        Error::halt(format!("{type_name} has no fixed columns"))
            .because("no_columns")
            .help("use a struct with named fields, without `#[serde(flatten)]`")
    })?;
    let mut columns = Vec::with_capacity(fields.len());
    for (n, name) in fields.iter().enumerate() {
        let asked = trace::field::<T>(fields, n).ok_or_else(|| {
            Error::halt(format!("the column of `{name}` in {type_name} cannot be told"))
                .because("no_columns")
                .help("give the field a plain type: a number, text, bool, Option, Vec or struct")
        })?;
        columns.push(Column {
            name: (*name).to_string(),
            kind: asked.kind,
            nullable: asked.nullable,
        });
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize)]
    enum Colour {
        Red,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Id(u32);

    #[derive(Serialize, Deserialize)]
    struct Row {
        url: String,
        id: Id,
        #[serde(rename = "minutes_read")]
        minutes: u8,
        score: f32,
        fresh: bool,
        title: Option<String>,
        colour: Colour,
        tags: Vec<String>,
        counts: BTreeMap<String, u64>,
        nested: Option<Box<Row>>,
        at: chrono::NaiveDate,
        #[serde(default)]
        anything: Option<serde_json::Value>,
    }

    #[test]
    fn columns_come_from_the_type_itself() {
        let found = columns::<Row>().unwrap();
        let short: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.kind, c.nullable)).collect();
        assert_eq!(
            short,
            [
                ("url", Kind::Text, false),
                ("id", Kind::Integer, false),
                ("minutes_read", Kind::Integer, false),
                ("score", Kind::Real, false),
                ("fresh", Kind::Bool, false),
                ("title", Kind::Text, true),
                ("colour", Kind::Text, false),
                ("tags", Kind::Json, false),
                ("counts", Kind::Json, false),
                ("nested", Kind::Json, true),
                ("at", Kind::Text, false),
                ("anything", Kind::Json, true),
            ]
        );
    }

    #[test]
    fn types_without_fixed_columns_are_refused_with_the_cure() {
        for error in
            [columns::<String>().unwrap_err(), columns::<BTreeMap<String, u8>>().unwrap_err()]
        {
            assert_eq!(error.reason(), "no_columns");
            assert!(error.guidance().unwrap().contains("named fields"));
        }
    }
}
