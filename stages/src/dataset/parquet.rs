//! Parquet files by polars: one per run, zstd, columns from the type itself.

use super::replay::ArchivedRows;
use crate::shape::{Column, Kind, columns};
use polars::prelude::{
    Column as Series, DataFrame, DataType, Field, NamedFrom, ParquetCompression, ParquetWriter,
    PolarsError, Schema, Series as Values,
};
use serde_json::Value as Json;
use std::sync::Arc;
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::tier::atomic::Staged;
use tidemill_pipeline::{Error, FileSink, Fingerprint, Item, Replay, Result, Step};

/// Items that become columns at once.
const BATCH: usize = 4096;
/// A row group is written when it has so many rows or bytes: readers work through large ones twice as
/// fast as through small ones, and one of them is held in memory.
const GROUP_ROWS: usize = 8 * BATCH;
const GROUP_BYTES: usize = 32 << 20;

/// Saves items as Parquet, one file per run.
///
/// Each row carries besides its own columns: `_key`, `_run`, `_input` (the hash of the content it
/// was made from), `_steps` (the fingerprint of the chain that made it) and `_model` (the item's
/// `model_id`, when it has one), so that the archive alone tells what is stale.
///
/// ```
/// use tidemill_stages::dataset::Parquet;
/// let summaries = Parquet::dataset("llm_summaries");
/// # let _ = summaries;
/// ```
#[derive(Debug, Clone)]
pub struct Parquet {
    dataset: String,
}

impl Parquet {
    /// Into this dataset.
    pub fn dataset(name: impl Into<String>) -> Self {
        Self { dataset: name.into() }
    }
}

impl Step for Parquet {
    fn name(&self) -> &str {
        "parquet"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.dataset)
    }
}

impl<T: Item> FileSink<T> for Parquet {
    fn dataset(&self) -> &str {
        &self.dataset
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<T>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        const NAME: &str = "part-0000.parquet";
        let columns = columns::<T>()?;
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(Vec::new());
        }
        let schema = schema(&columns);
        let mut staged = Staged::create(&sealing.folder.join(NAME))?;
        let mut writer = ParquetWriter::new(&mut staged)
            .with_compression(ParquetCompression::Zstd(None))
            .batched(&schema)
            .map_err(refused)?;
        loop {
            let group = row_group(&columns, &mut rows, sealing)?;
            let Some(group) = group else { break };
            writer.write_batch(&group).map_err(refused)?;
        }
        writer.finish().map_err(refused)?;
        drop(writer);
        staged.commit_over()?;
        Ok(vec![NAME.into()])
    }

    fn check(&self, _cx: &tidemill_pipeline::Context) -> Result<()> {
        columns::<T>().map(|_| ())
    }

    fn replay(&self) -> Option<Arc<dyn Replay<T>>> {
        Some(Arc::new(ArchivedRows::default()))
    }
}

/// The columns of the file: the item's own, then ours.
fn schema(columns: &[Column]) -> Schema {
    let own = columns.iter().map(|c| Field::new(c.name.as_str().into(), data_type(c.kind)));
    let ours = ["_key", "_run", "_input", "_steps", "_model"];
    let ours = ours.iter().map(|name| Field::new((*name).into(), DataType::String));
    own.chain(ours).collect()
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Real => DataType::Float64,
        Kind::Text | Kind::Json => DataType::String,
    }
}

/// The rows of the next row group; none when there are no more.
fn row_group<T: Item>(
    columns: &[Column],
    rows: &mut dyn Iterator<Item = Result<Saved<T>>>,
    sealing: &Sealing<'_>,
) -> Result<Option<DataFrame>> {
    let mut whole: Option<DataFrame> = None;
    loop {
        let batch = (&mut *rows).take(BATCH).collect::<Result<Vec<_>>>()?;
        let last = batch.len() < BATCH;
        if !batch.is_empty() {
            let more = frame(columns, &batch, sealing)?;
            match &mut whole {
                None => whole = Some(more),
                Some(whole) => {
                    whole.vstack_mut_owned(more).map_err(refused)?;
                }
            }
        }
        let full = |whole: &DataFrame| {
            whole.height() >= GROUP_ROWS || whole.estimated_size() >= GROUP_BYTES
        };
        if last || whole.as_ref().is_some_and(full) {
            // In one piece: each piece would be a row group.
            return Ok(whole.map(|mut whole| {
                whole.rechunk_mut();
                whole
            }));
        }
    }
}

fn frame<T: Item>(
    columns: &[Column],
    group: &[Saved<T>],
    sealing: &Sealing<'_>,
) -> Result<DataFrame> {
    let objects = group
        .iter()
        .map(|saved| Ok(serde_json::to_value(&saved.item)?))
        .collect::<Result<Vec<Json>>>()?;
    let mut all =
        columns.iter().map(|column| series(column, &objects)).collect::<Result<Vec<Series>>>()?;
    let steps = sealing.steps.to_hex();
    let text = |name: &str, values: Vec<Option<String>>| Values::new(name.into(), values).into();
    all.push(text("_key", group.iter().map(|s| Some(s.key.clone())).collect()));
    all.push(text("_run", vec![Some(sealing.run.to_string()); group.len()]));
    all.push(text("_input", group.iter().map(|s| s.content.map(Fingerprint::to_hex)).collect()));
    all.push(text("_steps", vec![Some(steps); group.len()]));
    let model = |object: &Json| Some(object.get("model_id")?.as_str()?.to_string());
    all.push(text("_model", objects.iter().map(model).collect()));
    DataFrame::new(group.len(), all).map_err(refused)
}

fn series(column: &Column, objects: &[Json]) -> Result<Series> {
    let field = |object: &Json| object.get(&column.name).cloned().unwrap_or(Json::Null);
    let name = column.name.as_str().into();
    let values = objects.iter().map(field);
    let fits = |value: &Json| match column.kind {
        Kind::Bool => value.is_boolean(),
        Kind::Integer => value.as_i64().is_some(),
        Kind::Real => value.as_f64().is_some(),
        Kind::Text | Kind::Json => true,
    };
    if let Some(value) = values.clone().find(|value| !value.is_null() && !fits(value)) {
        return Err(Error::halt(format!(
            "`{}` is {value}, which no column of 64 bits holds",
            column.name
        ))
        .because("row_does_not_fit")
        .help("give the field another type, or map the value before it is saved"));
    }
    let series: Values = match column.kind {
        Kind::Bool => Values::new(name, values.map(|v| v.as_bool()).collect::<Vec<_>>()),
        Kind::Integer => Values::new(name, values.map(|v| v.as_i64()).collect::<Vec<_>>()),
        Kind::Real => Values::new(name, values.map(|v| v.as_f64()).collect::<Vec<_>>()),
        Kind::Text | Kind::Json => Values::new(
            name,
            values
                .map(|v| match v {
                    Json::Null => None,
                    Json::String(text) if column.kind == Kind::Text => Some(text),
                    other => Some(other.to_string()),
                })
                .collect::<Vec<_>>(),
        ),
    };
    Ok(series.into())
}

// By value, as `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: PolarsError) -> Error {
    Error::halt(format!("the Parquet file cannot be written: {error}")).because("parquet")
}
