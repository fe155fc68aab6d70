//! SQL over datasets, read-only, by polars: each dataset is a table, its newest versions are another.

use super::scan::Scan;
use super::shelf::{is_table, runs_of};
use polars::prelude::{DataFrame, Engine, LazyFrame, PlanCallback, PolarsError};
use polars::sql::{SQLContext, extract_table_identifiers};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::tier::{self, Tier, Wanted};
use tidemill_pipeline::{Error, Result};

/// What stands behind the name of a dataset in the name of the table of its newest versions.
const NEWEST: &str = "_newest";

/// Rows that are handed over at once.
const TOGETHER: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8191);

/// Runs a query over the datasets of an archive that hold Parquet and hands the rows to `on`, some
/// at a time; the first frame always comes, with no rows when there are none.
///
/// The tables are named after the datasets, over all pipelines, with `dt` (a date), `run` and
/// `pipeline` as columns; `<dataset>_newest` has the newest version of each key. Only the files of
/// the datasets that the query names are looked at. Blocks.
///
/// # Errors
/// `usage` when it is no `SELECT` or `WITH`; `dataset_missing` when a table is none, with those that
/// are there; `sql` when polars refuses the query, with its words. And what `on` says.
pub fn query(tier: &Tier, sql: &str, on: &mut dyn FnMut(DataFrame) -> Result<()>) -> Result<()> {
    read_only(sql)?;
    let named = extract_table_identifiers(sql, false, true).map_err(refused)?;
    let mut context = SQLContext::new();
    let tables = tables(tier)?;
    for name in &named {
        if let Some((dataset, newest)) = table(&tables, name) {
            context.register(name, frame(tier, dataset, newest)?);
        }
    }
    let frame = context.execute(sql).map_err(|error| unknown(error, &named, &tables))?;
    run(frame, on)
}

/// The names of the datasets with Parquet files: the tables of [`query`].
///
/// # Errors
/// *Wait* when the archive is away.
pub fn tables(tier: &Tier) -> Result<BTreeSet<String>> {
    Ok(tier::runs(tier)?.into_iter().filter(is_table).map(|run| run.dataset).collect())
}

/// Which dataset a table is of, and whether it is that of the newest versions. A dataset that is
/// called like one is itself.
fn table<'a>(tables: &BTreeSet<String>, name: &'a str) -> Option<(&'a str, bool)> {
    if tables.contains(name) {
        return Some((name, false));
    }
    let dataset = name.strip_suffix(NEWEST)?;
    tables.contains(dataset).then_some((dataset, true))
}

fn frame(tier: &Tier, dataset: &str, newest: bool) -> Result<LazyFrame> {
    let wanted = Wanted { dataset: Some(dataset.to_owned()), ..Wanted::default() };
    let scan = Scan::of(&runs_of(tier, &wanted)?)?;
    if newest { scan.newest().lazy() } else { scan.lazy() }
}

/// Refuses everything that does not begin as a query does.
fn read_only(sql: &str) -> Result<()> {
    let first = sql.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty());
    let first = first.unwrap_or_default().to_ascii_lowercase();
    let begins = sql.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    if ["select", "with"].contains(&first.as_str())
        && begins.to_ascii_lowercase().starts_with(&first)
    {
        return Ok(());
    }
    Err(Error::halt("only queries are taken, which begin with SELECT or WITH")
        .because("usage")
        .help("an archive is never written to by SQL"))
}

/// Runs the plan on threads of its own and hands over what comes, so that no result is held whole.
fn run(frame: LazyFrame, on: &mut dyn FnMut(DataFrame) -> Result<()>) -> Result<()> {
    let (send, receive) = sync_channel(2);
    let told = PlanCallback::new(move |rows: DataFrame| Ok(send.send(rows).is_err()));
    let mut plan = frame.clone();
    let schema = plan.collect_schema().map_err(refused)?;
    on(DataFrame::empty_with_schema(&schema))?;
    let plan = frame.sink_batches(told, true, Some(TOGETHER)).map_err(refused)?;
    let work = in_run(move || plan.collect_with_engine(Engine::Streaming).map(|_| ()));
    let worker = std::thread::Builder::new()
        .name("sql".into())
        .spawn(work)
        .map_err(|error| Error::halt("no thread for the query").caused_by(error))?;
    let handed = receive.iter().try_for_each(on);
    drop(receive); // the query ends when nobody takes its rows
    let ended = worker.join().map_err(|_| {
        Error::halt("polars gave up on the query")
            .because("sql")
            .help("write it another way; stderr has what polars said")
    })?;
    handed?;
    ended.map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: PolarsError) -> Error {
    Error::halt(format!("the query cannot be answered: {error}"))
        .because("sql")
        .help("`tidemill dataset schema DATASET` shows columns and types")
}

fn unknown(error: PolarsError, named: &[String], tables: &BTreeSet<String>) -> Error {
    let strange = named.iter().find(|name| table(tables, name).is_none());
    match strange {
        Some(name) if error.to_string().contains(name.as_str()) => {
            let has: Vec<&str> = tables.iter().map(String::as_str).collect();
            let has = if has.is_empty() { "none yet".to_owned() } else { has.join(", ") };
            Error::halt(format!("there is no table `{name}`"))
                .because("dataset_missing")
                .help(format!("there are {has}, each also with {NEWEST} behind its name"))
        }
        _ => refused(error),
    }
}
