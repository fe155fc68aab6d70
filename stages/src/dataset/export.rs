//! Rows written for other programs: as Parquet, as lines of JSON, or as CSV that no spreadsheet runs.

use super::cells::json;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{Column, DataFrame, ParquetCompression, ParquetWriter, PolarsError};
use serde_json::Value as Json;
use std::io::{self, Write};
use tidemill_pipeline::{Error, Result};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One Parquet file, zstd.
    Parquet,
    /// A JSON object per line.
    Jsonl,
    /// CSV as RFC 4180 has it, with a header; text is always quoted and null is an empty field. Text
    /// that a spreadsheet would take for a formula has a `'` in front.
    Csv,
}

/// The rows of a frame, for programs that do not know polars.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub names: Vec<String>,
    /// Which columns hold numbers.
    pub numbers: Vec<bool>,
    /// The values, row by row.
    pub rows: Vec<Vec<Json>>,
}

impl Rows {
    /// The rows of a frame.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn of(frame: &DataFrame) -> Result<Self> {
        let mut rows = vec![Vec::with_capacity(frame.width()); frame.height()];
        for column in frame.columns() {
            let values = json(column).map_err(|error| refused(&error))?;
            rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
        }
        let names = frame.columns().iter().map(|column| column.name().to_string()).collect();
        let number = |column: &Column| column.dtype().is_numeric();
        Ok(Self { names, numbers: frame.columns().iter().map(number).collect(), rows })
    }
}

/// Rows on their way into a file or a pipe.
pub struct Written<W: Write> {
    to: Target<W>,
    rows: u64,
}

enum Target<W: Write> {
    /// It begins with the first frame, which says what the columns are.
    NotYet(W, Format),
    Parquet(Box<BatchedWriter<W>>),
    Text(W, Format),
}

impl<W: Write> std::fmt::Debug for Written<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<W: Write> Written<W> {
    /// Nothing yet.
    pub fn to(to: W, format: Format) -> Self {
        Self { to: Target::NotYet(to, format), rows: 0 }
    }

    /// Adds the rows of a frame; all frames have the same columns. A frame without rows makes an
    /// empty table of the first one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn with(mut self, frame: &DataFrame) -> Result<Self> {
        self.rows += frame.height() as u64;
        self.to = match self.to.begun(frame)? {
            Target::Parquet(mut writer) => {
                writer.write_batch(frame).map_err(|error| refused(&error))?;
                Target::Parquet(writer)
            }
            Target::Text(mut to, format) => {
                lines(&mut to, format, &Rows::of(frame)?).map_err(unwritten)?;
                Target::Text(to, format)
            }
            other @ Target::NotYet(..) => other,
        };
        Ok(self)
    }

    /// Ends it; how many rows there are.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self) -> Result<u64> {
        match self.to {
            Target::Parquet(writer) => {
                writer.finish().map_err(|error| refused(&error))?;
            }
            Target::Text(mut to, _) | Target::NotYet(mut to, _) => to.flush().map_err(unwritten)?,
        }
        Ok(self.rows)
    }
}

impl<W: Write> Target<W> {
    fn begun(self, frame: &DataFrame) -> Result<Self> {
        let (mut to, format) = match self {
            Self::NotYet(to, format) => (to, format),
            begun => return Ok(begun),
        };
        if format == Format::Parquet {
            let writer = ParquetWriter::new(to).with_compression(ParquetCompression::Zstd(None));
            let writer = writer.batched(frame.schema()).map_err(|error| refused(&error))?;
            return Ok(Self::Parquet(Box::new(writer)));
        }
        if format == Format::Csv {
            let names = frame.columns().iter().map(|column| quoted(column.name()));
            let header = names.collect::<Vec<_>>().join(",");
            write!(to, "{header}\r\n").map_err(unwritten)?;
        }
        Ok(Self::Text(to, format))
    }
}

fn lines(to: &mut impl Write, format: Format, rows: &Rows) -> io::Result<()> {
    let mut text = String::new();
    for row in &rows.rows {
        match format {
            Format::Csv => {
                let fields: Vec<String> = row.iter().map(field).collect();
                text.push_str(&fields.join(","));
                text.push_str("\r\n");
            }
            Format::Jsonl | Format::Parquet => {
                let pairs = rows.names.iter().zip(row);
                let pair = |(name, value): (&String, &Json)| {
                    format!("{}:{value}", Json::from(name.as_str()))
                };
                let object = pairs.map(pair).collect::<Vec<_>>().join(",");
                text.push('{');
                text.push_str(&object);
                text.push_str("}\n");
            }
        }
    }
    to.write_all(text.as_bytes())
}

/// A field of CSV.
fn field(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Quoted text; what begins as a formula does is no longer one.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

fn refused(error: &PolarsError) -> Error {
    Error::halt(format!("the rows cannot be written: {error}"))
        .because("export")
        .help("give what is no number, text, date or boolean another type, with CAST")
}

fn unwritten(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::halt("nobody reads the rows any more")
            .because("pipe_closed")
            .caused_by(error);
    }
    Error::halt("the rows cannot be written")
        .because("export")
        .caused_by(error)
        .help("is there room where they are written to?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoColumn, NamedFrom, Series};

    fn frame() -> DataFrame {
        let text =
            Series::new("a \"b\"".into(), [Some("=1+1"), None, Some("x,\"y\"\nz"), Some("")]);
        let number = Series::new("n".into(), [Some(-1i64), Some(2), None, Some(4)]);
        let bool = Series::new("b".into(), [true, false, true, false]);
        DataFrame::new(4, vec![text.into_column(), number.into_column(), bool.into_column()])
            .unwrap()
    }

    fn written(format: Format) -> String {
        let mut bytes = Vec::new();
        let rows = Written::to(&mut bytes, format).with(&frame()).unwrap().end().unwrap();
        assert_eq!(rows, 4);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn csv_is_quoted_and_holds_no_formula() {
        let expected = "\"a \"\"b\"\"\",\"n\",\"b\"\r\n\"'=1+1\",-1,true\r\n,2,false\r\n\"x,\"\"y\"\"\nz\",,true\r\n\"\",4,false\r\n";
        assert_eq!(written(Format::Csv), expected);
    }

    #[test]
    fn lines_of_json_keep_the_order_of_the_columns() {
        let text = written(Format::Jsonl);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"a \"b\"":"=1+1","n":-1,"b":true}"#);
        assert_eq!(lines[1], r#"{"a \"b\"":null,"n":2,"b":false}"#);
        assert_eq!(lines.len(), 4);
    }
}
