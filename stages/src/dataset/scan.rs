//! The rows of a dataset over many runs, as frames: only the columns and files that are needed.

use super::cells::{days, typed};
use super::newest;
use super::part::{Part, no_parquet};
use super::schema::{DatasetColumn, PLACES, Type, Union};
use super::shelf::tables_of;
use chrono::NaiveDate;
use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataFrame, DataType, NewChunkedArray, Scalar,
};
use std::ops::Range;
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_pipeline::{Error, Result};

/// The rows of one dataset in the Parquet files of archived runs.
///
/// Beside the files' own columns each row has `dt`, `run` and `pipeline`: where it lies. A column
/// that a file lacks is null there, and whole numbers and real ones together are real. Nothing is
/// read but footers until rows are asked for.
#[derive(Debug)]
pub struct Scan {
    pub(super) files: Vec<Placed>,
    columns: Vec<DatasetColumn>,
    selected: Option<Vec<usize>>,
    newest: bool,
}

/// A file, and the run that it is of.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) part: Part,
    pub(super) dt: NaiveDate,
    pub(super) run: String,
    pub(super) pipeline: String,
}

impl Scan {
    /// The files of these runs, which come by id; their sizes were compared with the manifests.
    ///
    /// # Errors
    /// `no_parquet` when a file is none, `foreign_schema` when no schema holds them all; with the
    /// names of file and column. *Wait* when a file cannot be read.
    pub fn of(runs: &[ArchivedRun]) -> Result<Self> {
        let (mut files, mut union) = (Vec::new(), Union::default());
        for run in runs {
            for file in tables_of(run) {
                let part = Part::open(&run.folder.join(&file.path))?;
                union.add(&part, run.dt)?;
                let (run_id, pipeline) = (run.run.clone(), run.pipeline.clone());
                files.push(Placed { part, dt: run.dt, run: run_id, pipeline });
            }
        }
        let mut columns = union.columns;
        for (name, holds) in PLACES.into_iter().zip([Type::Date, Type::Text, Type::Text]) {
            let dates = || files.iter().map(|file| file.dt);
            let (Some(since), Some(last)) = (dates().min(), dates().max()) else { continue };
            let seen_in = std::path::PathBuf::new();
            columns.push(DatasetColumn { name: name.to_owned(), holds, since, last, seen_in });
        }
        Ok(Self { files, columns, selected: None, newest: false })
    }

    /// Only the newest version of each key: of the rows of a pipeline with the same `_key` the last
    /// one of the latest run among these.
    #[must_use]
    pub fn newest(mut self) -> Self {
        self.newest = true;
        self
    }

    /// Only these columns, in this order.
    ///
    /// # Errors
    /// `usage` when there is none of a name, with those that there are.
    pub fn select<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self> {
        let place = |name: &S| {
            let name = name.as_ref();
            self.columns.iter().position(|column| column.name == name).ok_or_else(|| {
                let has: Vec<&str> =
                    self.columns.iter().map(|column| column.name.as_str()).collect();
                Error::halt(format!("there is no column `{name}`"))
                    .because("usage")
                    .help(format!("there are {}", has.join(", ")))
            })
        };
        let places = names.iter().map(place).collect::<Result<Vec<_>>>()?;
        self.selected = Some(places);
        Ok(self)
    }

    /// All columns of all files, then `dt`, `run` and `pipeline`.
    #[must_use]
    pub fn columns(&self) -> &[DatasetColumn] {
        &self.columns
    }

    /// The columns that are read, in order.
    pub(super) fn read_columns(&self) -> impl Iterator<Item = &DatasetColumn> {
        let all = self.selected.is_none();
        let plain = self.columns.iter().filter(move |_| all);
        let chosen = self.selected.iter().flatten().filter_map(|place| self.columns.get(*place));
        plain.chain(chosen)
    }

    #[cfg(feature = "sql")]
    pub(super) fn is_newest(&self) -> bool {
        self.newest
    }

    /// The rows of all files, all versions of them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.part.rows()).sum()
    }

    /// The rows, a row group at a time, in the order of the runs.
    ///
    /// # Errors
    /// When the keys cannot be read, which the newest versions need.
    pub fn frames(&self) -> Result<Frames<'_>> {
        let kept = if self.newest { Some(newest::rows(&self.files)?) } else { None };
        let groups = self.files.iter().enumerate().flat_map(|(file, placed)| {
            let groups = placed.part.groups().into_iter().enumerate();
            groups.map(move |(group, rows)| (file, group, rows))
        });
        Ok(Frames { scan: self, kept, groups: groups.collect::<Vec<_>>().into_iter() })
    }

    /// A frame with the columns and no rows.
    ///
    /// # Errors
    /// When two columns have one name.
    pub fn empty(&self) -> Result<DataFrame> {
        let empty = |column: &DatasetColumn| {
            Column::new_empty(column.name.as_str().into(), &column.holds.polars())
        };
        DataFrame::new(0, self.read_columns().map(empty).collect()).map_err(refused)
    }

    /// All rows at once.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn frame(&self) -> Result<DataFrame> {
        let mut whole = self.empty()?;
        for frame in self.frames()? {
            whole.vstack_mut_owned(frame?).map_err(refused)?;
        }
        Ok(whole)
    }
}

/// What polars says of frames that we made.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: polars::prelude::PolarsError) -> Error {
    Error::halt(format!("the rows make no frame: {error}")).because("frame")
}

/// Frames of rows, one for each row group; those without a row are passed over.
#[derive(Debug)]
pub struct Frames<'a> {
    scan: &'a Scan,
    /// By file: which rows are the newest versions; `None` where all are.
    kept: Option<Vec<Option<Vec<bool>>>>,
    groups: std::vec::IntoIter<(usize, usize, Range<u64>)>,
}

impl Iterator for Frames<'_> {
    type Item = Result<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (file, group, rows) = self.groups.next()?;
            let placed = self.scan.files.get(file)?;
            let kept = self.kept.as_ref().and_then(|kept| kept.get(file)).and_then(Option::as_ref);
            let kept = kept.and_then(|kept| kept.get(rows.start as usize..rows.end as usize));
            if kept.is_some_and(|kept| !kept.contains(&true)) {
                continue;
            }
            return Some(self.group(placed, group, kept));
        }
    }
}

impl Frames<'_> {
    fn group(&self, placed: &Placed, group: usize, kept: Option<&[bool]>) -> Result<DataFrame> {
        let wanted: Vec<&DatasetColumn> = self.scan.read_columns().collect();
        let own = wanted.iter().map(|column| column.name.as_str());
        let own: Vec<&str> = own.filter(|name| !PLACES.contains(name)).collect();
        let frame = placed.part.read(group, &own)?;
        let failed = |error| no_parquet(placed.part.path(), error);
        let column = |column: &&DatasetColumn| {
            let name = column.name.as_str();
            match placed.place(name, frame.height()) {
                Some(place) => Ok(place),
                None => typed(&frame, name, column.holds),
            }
        };
        let columns = wanted.iter().map(column).collect::<Result<_, _>>().map_err(failed)?;
        let whole = DataFrame::new(frame.height(), columns).map_err(failed)?;
        match kept {
            None => Ok(whole),
            Some(kept) => {
                whole.filter(&BooleanChunked::from_slice("".into(), kept)).map_err(failed)
            }
        }
    }
}

impl Placed {
    /// One of the columns that the folder's name says.
    fn place(&self, name: &str, rows: usize) -> Option<Column> {
        let text = |text: &str| Scalar::new(DataType::String, AnyValue::StringOwned(text.into()));
        let scalar = match name {
            "dt" => Scalar::new(DataType::Date, AnyValue::Date(days(self.dt))),
            "run" => text(&self.run),
            "pipeline" => text(&self.pipeline),
            _ => return None,
        };
        Some(Column::new_scalar(name.into(), scalar, rows))
    }
}
