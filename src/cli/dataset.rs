//! `dataset`: what the archive holds, as a person asks for it.

mod list;
mod place;
#[cfg(feature = "dataset")]
mod rows;
#[cfg(feature = "sql")]
mod sql;
mod table;

use super::flags::Flags;
use crate::Outcome;
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;
use tidemill_pipeline::{Mill, Result};
use tidemill_stages::dataset::Day;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the datasets of the archive
    #[command(after_help = "Example:  tidemill dataset ls --archive /mnt/nas/mill")]
    Ls,
    /// Show a dataset date by date
    #[command(after_help = "Example:  tidemill dataset show llm_summaries --since 30d")]
    Show(Which),
    /// Show the columns of a dataset, their types, and since when they are there
    #[command(after_help = "Example:  tidemill dataset schema llm_summaries")]
    Schema(Which),
    /// Show some rows of a dataset, the newest run first
    #[command(
        after_help = "Example:  tidemill dataset head llm_summaries --columns title,language"
    )]
    Head(Head),
    /// Ask a question in SQL; nothing is ever written
    #[command(
        after_help = "A table is a dataset, over all pipelines, with dt, run and pipeline as columns;\n\
                            DATASET_newest is the newest version of each key.\n\n\
                            Example:  tidemill dataset sql \"SELECT dt, count(*) FROM llm_summaries\n\
                            \x20           WHERE dt >= '2026-11-01' GROUP BY dt ORDER BY dt\""
    )]
    Sql(Sql),
    /// Write a dataset into one file, or to stdout
    #[command(
        after_help = "Example:  tidemill dataset export llm_summaries --newest --format csv --out s.csv"
    )]
    Export(Export),
}

/// A dataset, or a part of it.
#[derive(Debug, Clone, clap::Args)]
struct Which {
    /// The dataset
    dataset: String,
    /// Of this pipeline only
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// Filed under this date or a later one: 2026-11-20, or 7d, 2w back
    #[arg(long, value_name = "DATE", value_parser = day)]
    since: Option<Day>,
    /// Filed under this date or an earlier one
    #[arg(long, value_name = "DATE", value_parser = day)]
    until: Option<Day>,
    /// Of this run only
    #[arg(long, value_name = "ID")]
    run: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
struct Head {
    #[command(flatten)]
    which: Which,
    /// How many rows
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    rows: usize,
    /// These columns only
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Vec<String>,
}

#[derive(Debug, Clone, clap::Args)]
struct Sql {
    /// The query: SELECT … or WITH …
    query: String,
    /// How the rows are printed; --json prints one array
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    format: Shape,
}

#[derive(Debug, Clone, clap::Args)]
struct Export {
    #[command(flatten)]
    which: Which,
    /// How the rows are written
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: FileShape,
    /// The new file, or - for stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only the newest version of each key
    #[arg(long)]
    newest: bool,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Aligned, for people
    Table,
    /// A JSON object per line
    Jsonl,
    /// CSV with a header
    Csv,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileShape {
    /// One Parquet file
    Parquet,
    /// A JSON object per line
    Jsonl,
    /// CSV with a header
    Csv,
}

fn day(text: &str) -> Result<Day, String> {
    match Day::from(text) {
        Day::Unclear(_) => Err("write it as YYYY-MM-DD, or as 7d or 2w back".into()),
        day => Ok(day),
    }
}

pub(super) async fn run(flags: &Flags, args: Args, mill: Option<&Mill>) -> Result<Outcome> {
    let seen = place::seen(flags, mill).await?;
    let flags = flags.clone();
    // An archive may hang; the runtime's threads must not.
    tokio::task::spawn_blocking(move || match args.verb {
        Verb::Ls => list::ls(&flags, &seen),
        Verb::Show(which) => list::show(&flags, &seen, &which),
        #[cfg(feature = "dataset")]
        Verb::Schema(which) => rows::schema(&flags, &seen, &which),
        #[cfg(feature = "dataset")]
        Verb::Head(head) => rows::head(&flags, &seen, &head),
        #[cfg(feature = "dataset")]
        Verb::Export(export) => rows::export(&flags, &seen, &export),
        #[cfg(feature = "sql")]
        Verb::Sql(sql) => sql::run(&flags, &seen, &sql),
        #[cfg(not(feature = "sql"))]
        Verb::Sql(_) => Err(built_without("sql")),
        #[cfg(not(feature = "dataset"))]
        _ => Err(built_without("dataset")),
    })
    .await?
}

#[cfg(not(feature = "sql"))]
fn built_without(feature: &str) -> tidemill_pipeline::Error {
    tidemill_pipeline::Error::halt(format!("this program was built without the feature `{feature}`"))
        .because("feature")
        .help(format!(
            "build it in: cargo run --features {feature} -- dataset …; `dataset ls` and `show` work without it"
        ))
}
