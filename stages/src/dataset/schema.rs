//! Which columns does a dataset have over the years? One list, into which every file's fits.

use super::part::Part;
use chrono::NaiveDate;
use polars::prelude::DataType;
use std::fmt;
use std::path::PathBuf;
use tidemill_pipeline::{Error, Result};

/// The columns that are no file's own: they stand in the names of the folders.
pub(super) const PLACES: [&str; 3] = ["dt", "run", "pipeline"];

/// What a column holds, as it is read: whatever was narrower is read as 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Nothing but nulls.
    Nothing,
    /// `true` or `false`.
    Bool,
    /// Whole numbers of 64 bits with sign.
    Integer,
    /// Floating-point numbers of 64 bits.
    Real,
    /// Text; also lists and structs, as JSON text.
    Text,
    /// A date.
    Date,
}

impl Type {
    pub(super) fn polars(self) -> DataType {
        match self {
            Self::Nothing | Self::Text => DataType::String,
            Self::Bool => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Real => DataType::Float64,
            Self::Date => DataType::Date,
        }
    }

    /// The type that holds both; `None` when there is none.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Nothing, a) | (a, Self::Nothing) => Some(a),
            (Self::Integer, Self::Real) | (Self::Real, Self::Integer) => Some(Self::Real),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "null",
            Self::Bool => "boolean",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Date => "date",
        })
    }
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetColumn {
    /// Its name.
    pub name: String,
    /// What it holds, over all files.
    pub holds: Type,
    /// The first date of which a file has it.
    pub since: NaiveDate,
    /// The last date of which a file has it.
    pub last: NaiveDate,
    /// The file that first had this type, for messages.
    pub(super) seen_in: PathBuf,
}

/// The union of the columns of many files.
#[derive(Debug, Clone, Default)]
pub(super) struct Union {
    pub(super) columns: Vec<DatasetColumn>,
}

impl Union {
    /// Takes in the columns of a file.
    pub(super) fn add(&mut self, part: &Part, dt: NaiveDate) -> Result<()> {
        for (name, holds) in part.columns()? {
            if PLACES.contains(&name.as_str()) {
                continue; // the folder's name says it, for every file alike
            }
            let Some(known) = self.columns.iter_mut().find(|column| column.name == name) else {
                let seen_in = part.path().to_path_buf();
                self.columns.push(DatasetColumn { name, holds, since: dt, last: dt, seen_in });
                continue;
            };
            let Some(both) = known.holds.with(holds) else {
                return Err(clash(known, part, holds));
            };
            if known.holds != both {
                known.seen_in = part.path().to_path_buf();
            }
            known.holds = both;
            known.since = known.since.min(dt);
            known.last = known.last.max(dt);
        }
        Ok(())
    }
}

fn clash(known: &DatasetColumn, part: &Part, found: Type) -> Error {
    Error::halt(format!(
        "the column `{}` is {} in {} and {found} in {}: no column holds both",
        known.name,
        known.holds,
        known.seen_in.display(),
        part.path().display()
    ))
    .because("foreign_schema")
    .help("read the years before and after the change by themselves, with --since and --until")
}
