//! One Parquet file of an archived run, read by row group and column, and never more of it.

use super::schema::Type;
use polars::prelude::{
    ArrowDataType, ArrowSchema, DataFrame, FileMetadataRef, ParallelStrategy, ParquetReader,
    SerReader,
};
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_pipeline::{Error, Result};

/// A file whose footer was read.
///
/// Files are read, not mapped into memory: an archive may be on a disk that fails or on a share
/// that goes away, and a mapped page that cannot be read would end the whole process.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    bytes: u64,
    footer: FileMetadataRef,
    schema: Arc<ArrowSchema>,
}

impl Part {
    /// Reads the footer.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| lost(path, error))?;
        let bytes = file.metadata().map_err(|error| lost(path, error))?.len();
        let mut reader = ParquetReader::new(&mut file);
        let none = |error| no_parquet(path, error);
        let footer = Arc::clone(reader.get_metadata().map_err(none)?);
        let schema = reader.schema().map_err(none)?;
        let mut chunks = footer.row_groups.iter().flat_map(|group| group.byte_ranges_iter());
        if chunks.any(|range| range.start > range.end || range.end > bytes) {
            return Err(no_parquet(path, "its footer speaks of bytes that it does not have"));
        }
        drop(chunks);
        Ok(Self { path: path.to_path_buf(), bytes, footer, schema })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn rows(&self) -> u64 {
        self.footer.row_groups.iter().map(|group| group.num_rows() as u64).sum()
    }

    /// The rows of each row group, by their numbers in the file.
    pub(super) fn groups(&self) -> Vec<Range<u64>> {
        let mut from = 0;
        let mut groups = Vec::with_capacity(self.footer.row_groups.len());
        for group in &self.footer.row_groups {
            let to = from + group.num_rows() as u64;
            groups.push(from..to);
            from = to;
        }
        groups
    }

    /// Its columns, in order.
    pub(super) fn columns(&self) -> Result<Vec<(String, Type)>> {
        let typed = |(name, field): (_, &polars::prelude::ArrowField)| {
            let name: &polars::prelude::PlSmallStr = name;
            match type_of(field.dtype()) {
                Some(found) => Ok((name.to_string(), found)),
                None => Err(self.foreign(name, field.dtype())),
            }
        };
        self.schema.iter().map(typed).collect()
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.schema.contains(column)
    }

    /// The values of a row group in these columns, those that it has, in no promised order.
    pub(super) fn read(&self, group: usize, columns: &[&str]) -> Result<DataFrame> {
        let Some(rows) = self.footer.row_groups.get(group) else {
            return Err(no_parquet(&self.path, "it has fewer row groups than its footer said"));
        };
        let columns: Vec<String> =
            columns.iter().filter(|name| self.has(name)).map(|name| (*name).to_owned()).collect();
        let failed = |error| no_parquet(&self.path, error);
        if columns.is_empty() {
            return DataFrame::new(rows.num_rows(), Vec::new()).map_err(failed);
        }
        let chunks = columns.iter().filter_map(|name| rows.columns_under_root_iter(name)).flatten();
        let bytes = self.bytes_at(chunks.map(|chunk| chunk.byte_range()))?;
        // Of the footer that one row group, so that nobody looks for the others.
        let mut footer = (*self.footer).clone();
        footer.num_rows = rows.num_rows();
        footer.row_groups = vec![rows.clone()];
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        reader.set_metadata(Arc::new(footer));
        let reader = reader.with_columns(Some(columns)).read_parallel(ParallelStrategy::Columns);
        reader.finish().map_err(failed)
    }

    /// A buffer as long as the file in which only these ranges are filled in. What is not filled in
    /// takes no memory: the system hands out pages of zeros when they are touched.
    fn bytes_at(&self, ranges: impl Iterator<Item = Range<u64>>) -> Result<Vec<u8>> {
        let failed = |error| lost(&self.path, error);
        let mut file = File::open(&self.path).map_err(failed)?;
        let mut bytes = vec![0; usize::try_from(self.bytes).unwrap_or(usize::MAX)];
        for range in ranges {
            let places = range.start as usize..range.end as usize;
            let Some(room) = bytes.get_mut(places) else { continue };
            file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
            file.read_exact(room).map_err(failed)?;
        }
        Ok(bytes)
    }

    fn foreign(&self, column: &str, found: &ArrowDataType) -> Error {
        Error::halt(format!(
            "the column `{column}` of {} has the type {found:?}, which tidemill does not write",
            self.path.display()
        ))
        .because("foreign_schema")
        .help("leave its date out with --since or --until, and read that file with another program")
    }
}

/// What a column of this type is read as; `None` for types that nobody here writes.
fn type_of(found: &ArrowDataType) -> Option<Type> {
    use ArrowDataType as A;
    Some(match found {
        A::Null => Type::Nothing,
        A::Boolean => Type::Bool,
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 => {
            Type::Integer
        }
        A::Float32 | A::Float64 => Type::Real,
        A::Utf8 | A::LargeUtf8 | A::Utf8View => Type::Text,
        _ => return None,
    })
}

/// What is said when a disk does not give a file back.
pub(super) fn lost(path: &Path, error: std::io::Error) -> Error {
    Error::wait(format!("cannot read {}", path.display())).because("io").caused_by(error).help(
        "is the archive still mounted? `verify` tells which files its disk no longer gives back",
    )
}

/// What is said of a file that does not hold what its name says.
pub(super) fn no_parquet(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::halt(format!("{} is no Parquet file that can be read: {why}", path.display()))
        .because("no_parquet")
        .help("run `verify`, which compares it with its manifest; --since and --until leave its date out")
}
