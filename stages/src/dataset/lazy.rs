//! The rows of a dataset as a lazy frame of polars, which reads the files that a query needs.

use super::cells::days;
use super::newest;
use super::scan::Scan;
use super::schema::PLACES;
use either::Either;
use polars::io::{HiveOptions, RowIndex};
use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Field, IntoColumn, LazyFrame, NamedFrom,
    NewChunkedArray, ParquetOptions, PlRefPath, PolarsResult, Schema, SchemaRef, Series, col,
};
use polars_plan::dsl::{
    CastColumnsPolicy, DslPlan, ExtraColumnsPolicy, FileScanDsl, FileScanIR, MissingColumnsPolicy,
    ScanSources, UnifiedScanArgs,
};
use polars_plan::plans::FileInfo;
use polars_plan::plans::IR;
use polars_plan::plans::hive::HivePartitionsDf;
use std::sync::{Arc, Mutex};
use tidemill_pipeline::{Error, Result};

/// The number of a row over all files, while the newest versions are sorted out.
const ROW: &str = "__tidemill_row";

impl Scan {
    /// The rows as a lazy frame. A filter on `dt`, `run` or `pipeline` opens the files of these
    /// partitions only, and only the columns that are used are read.
    ///
    /// # Errors
    /// When the keys cannot be read, which the newest versions need.
    pub fn lazy(&self) -> Result<LazyFrame> {
        let kept = if self.is_newest() { Some(newest::rows(&self.files)?) } else { None };
        let kept = kept.filter(|files| files.iter().any(Option::is_some));
        let names: Vec<_> = self.read_columns().map(|column| col(column.name.as_str())).collect();
        let frame = LazyFrame::from(self.plan(kept.is_some())?);
        Ok(match kept {
            None => frame.select(names),
            Some(kept) => frame.filter(kept_rows(self.mask(kept))).select(names),
        })
    }

    /// Which rows are the newest versions, over all files.
    fn mask(&self, kept: Vec<Option<Vec<bool>>>) -> Vec<bool> {
        let mut mask = Vec::with_capacity(usize::try_from(self.rows()).unwrap_or_default());
        for (placed, kept) in self.files.iter().zip(kept) {
            let rows = placed.part.rows() as usize;
            mask.extend(kept.unwrap_or_else(|| vec![true; rows]));
        }
        mask
    }

    /// The scan as polars plans it after it has looked at the files. We have looked at them already,
    /// and trust no names that it finds in paths above the archive.
    fn plan(&self, numbered: bool) -> Result<DslPlan> {
        let file = self.file_schema();
        let places = self.places()?;
        let mut schema = (*file).clone();
        for (name, column) in places.schema().iter() {
            schema.with_column(name.clone(), column.clone());
        }
        if numbered {
            schema.insert_at_index(0, ROW.into(), DataType::IDX_DTYPE).map_err(refused)?;
        }
        let schema: SchemaRef = Arc::new(schema);
        if self.files.is_empty() {
            let df = Arc::new(DataFrame::empty_with_schema(&schema));
            return Ok(DslPlan::DataFrameScan { df, schema });
        }
        let rows = usize::try_from(self.rows()).unwrap_or(usize::MAX);
        let sources = self.sources()?;
        let options =
            ParquetOptions { schema: Some(Arc::clone(&file)), ..ParquetOptions::default() };
        let args = Box::new(arguments(&file, places.schema(), numbered));
        let ir = IR::Scan {
            sources: sources.clone(),
            file_info: FileInfo::new(schema, Some(Either::Right(file)), (Some(rows), rows)),
            hive_parts: Some(HivePartitionsDf::from(places)),
            predicate: None,
            predicate_file_skip_applied: None,
            output_schema: None,
            scan_type: Box::new(FileScanIR::Parquet {
                options: options.clone(),
                first_metadata: None,
                metadata_per_source: None,
            }),
            unified_scan_args: args.clone(),
        };
        Ok(DslPlan::Scan {
            sources,
            unified_scan_args: args,
            scan_type: Box::new(FileScanDsl::Parquet { options }),
            cached_ir: Arc::new(Mutex::new(Some(ir))),
        })
    }

    fn file_schema(&self) -> SchemaRef {
        let own = self.columns().iter().filter(|column| !PLACES.contains(&column.name.as_str()));
        let field = |name: &str, holds| Field::new(name.into(), holds);
        Arc::new(own.map(|column| field(&column.name, column.holds.polars())).collect::<Schema>())
    }

    fn sources(&self) -> Result<ScanSources> {
        let path = |path: &std::path::Path| match path.to_str() {
            Some(text) => Ok(PlRefPath::new(text)),
            None => Err(Error::halt(format!("the path {} is no text", path.display()))
                .because("path")
                .help("mount the archive below a folder whose name is UTF-8")),
        };
        let paths = self.files.iter().map(|placed| path(placed.part.path()));
        Ok(ScanSources::Paths(paths.collect::<Result<Vec<_>>>()?.into()))
    }

    /// What the folders' names say of each file.
    fn places(&self) -> Result<DataFrame> {
        let text = |name: &str, values: Vec<&str>| Series::new(name.into(), values).into_column();
        let dates: Vec<i32> = self.files.iter().map(|placed| days(placed.dt)).collect();
        let dates = Series::new("dt".into(), dates).cast(&DataType::Date).map_err(refused)?;
        let columns: Vec<Column> = vec![
            dates.into_column(),
            text("run", self.files.iter().map(|placed| placed.run.as_str()).collect()),
            text("pipeline", self.files.iter().map(|placed| placed.pipeline.as_str()).collect()),
        ];
        DataFrame::new(self.files.len(), columns).map_err(refused)
    }
}

/// Widens what is narrower, fills in what is missing; what does not fit was refused before.
fn arguments(file: &SchemaRef, places: &SchemaRef, numbered: bool) -> UnifiedScanArgs {
    UnifiedScanArgs {
        schema: Some(Arc::clone(file)),
        cloud_options: None,
        hive_options: HiveOptions {
            enabled: Some(true),
            hive_start_idx: 0,
            schema: Some(Arc::clone(places)),
            try_parse_dates: false,
        },
        rechunk: false,
        cache: false,
        glob: false,
        hidden_file_prefix: None,
        projection: None,
        column_mapping: None,
        default_values: None,
        row_index: numbered.then(|| RowIndex { name: ROW.into(), offset: 0 }),
        pre_slice: None,
        cast_columns_policy: CastColumnsPolicy {
            integer_upcast: true,
            integer_to_float_cast: true,
            float_upcast: true,
            null_upcast: true,
            ..CastColumnsPolicy::ERROR_ON_MISMATCH
        },
        missing_columns_policy: MissingColumnsPolicy::Insert,
        // A column that is named like a place is hidden by it.
        extra_columns_policy: ExtraColumnsPolicy::Ignore,
        include_file_paths: None,
        deletion_files: None,
        table_statistics: None,
        row_count: None,
    }
}

/// The rows whose numbers the mask has.
fn kept_rows(mask: Vec<bool>) -> polars::prelude::Expr {
    let looked_up = move |numbers: Column| -> PolarsResult<Column> {
        let of = |n: Option<_>| n.and_then(|n: u32| mask.get(n as usize).copied());
        let kept = numbers.u32()?.iter().map(|n| of(n).unwrap_or(false)).collect::<Vec<bool>>();
        Ok(BooleanChunked::from_slice(numbers.name().clone(), &kept).into_column())
    };
    let typed = |_: &Schema, field: &Field| Ok(Field::new(field.name().clone(), DataType::Boolean));
    col(ROW).map(looked_up, typed)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: polars::prelude::PolarsError) -> Error {
    Error::halt(format!("the files make no table: {error}")).because("frame")
}
