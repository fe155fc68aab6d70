//! `schema`, `head` and `export`: the rows of a dataset.

use super::place::Seen;
use super::table::{self, Table};
use super::{Export, FileShape, Head, Which, list};
use crate::Outcome;
use crate::cli::flags::Flags;
use crate::cli::out;
use serde_json::{Map, Value as Json, json};
use std::io::Write;
use tidemill_pipeline::tier::atomic::Staged;
use tidemill_pipeline::{Error, Result};
use tidemill_stages::dataset::{Format, Rows, Scan, Written, is_table};

/// The rows that are meant; refused when the dataset has none because it is no table.
fn scan(seen: &Seen, which: &Which, newest_first: bool) -> Result<Scan> {
    let tier = seen.tier()?;
    let mut runs = seen.runs(&tier, which)?;
    if !runs.is_empty() && !runs.iter().any(is_table) {
        let warc = runs.iter().any(|run| run.files_ending(".warc.gz").next().is_some());
        let what = if warc { "WARC files: raw pages, no table" } else { "files that are no table" };
        let files = list::endings(&runs, &tier.root);
        let error = Error::halt(format!("`{}` holds {what}", which.dataset)).because("no_table");
        return Err(error.help(match warc {
            true => format!("they lie in {}: {files}; any WARC tool opens them, and `replay --from {}` reads them", tier.root.display(), which.dataset),
            false => format!("they lie in {}: {files}", tier.root.display()),
        }));
    }
    if newest_first {
        runs.reverse();
    }
    Scan::of(&runs)
}

pub(super) fn schema(flags: &Flags, seen: &Seen, which: &Which) -> Result<Outcome> {
    let scan = scan(seen, which, false)?;
    let latest = scan.columns().iter().map(|column| column.last).max();
    let gone = |last| if Some(last) == latest { Json::Null } else { json!(last) };
    let row = |column: &tidemill_stages::dataset::DatasetColumn| {
        let holds = column.holds.to_string();
        vec![json!(column.name), json!(holds), json!(column.since), gone(column.last)]
    };
    let rows: Vec<Vec<Json>> = scan.columns().iter().map(row).collect();
    let names = ["column", "type", "since", "until"];
    if rows.is_empty() {
        out::line(flags, "nothing of that range");
    } else {
        table::lines(&names, &[false; 4], &rows)
            .into_iter()
            .for_each(|line| out::result(flags, line));
    }
    let names = names.map(str::to_owned);
    out::json(flags, &rows.into_iter().map(|row| object(&names, row)).collect::<Vec<_>>())?;
    Ok(Outcome::Done)
}

/// A row as an object.
pub(super) fn object(names: &[String], row: Vec<Json>) -> Map<String, Json> {
    names.iter().cloned().zip(row).collect()
}

pub(super) fn head(flags: &Flags, seen: &Seen, head: &Head) -> Result<Outcome> {
    let scan = scan(seen, &head.which, true)?;
    let columns = match head.columns.is_empty() {
        true => {
            // First where a row lies, then its own columns; ours, for bookkeeping, only by name.
            let own = scan.columns().iter().map(|column| column.name.clone());
            let own = own.filter(|name| {
                !name.starts_with('_') && !["dt", "run", "pipeline"].contains(&name.as_str())
            });
            let dt =
                scan.columns().iter().any(|column| column.name == "dt").then(|| "dt".to_owned());
            dt.into_iter().chain(own).collect()
        }
        false => head.columns.clone(),
    };
    let scan = scan.select(&columns)?;
    let (mut numbers, mut rows) = (Vec::new(), Vec::new());
    for frame in scan.frames()? {
        if rows.len() >= head.rows {
            break;
        }
        let some = Rows::of(&frame?)?;
        numbers = some.numbers;
        rows.extend(some.rows);
    }
    rows.truncate(head.rows);
    if rows.is_empty() {
        out::line(flags, "no rows of that range");
    } else {
        let table = Table::fitted(&columns, &numbers, &rows);
        out::result(flags, table.head());
        rows.iter().for_each(|row| out::result(flags, table.row(row)));
        left_out(flags, &table);
    }
    out::json(flags, &rows.into_iter().map(|row| object(&columns, row)).collect::<Vec<_>>())?;
    Ok(Outcome::Done)
}

/// Says which columns did not fit.
pub(super) fn left_out(flags: &Flags, table: &Table) {
    if !table.left_out().is_empty() {
        out::remark(
            flags,
            format!(
                "not shown, for want of room: {}; name columns to see them, or use --json",
                table.left_out().join(", ")
            ),
        );
    }
}

pub(super) fn export(flags: &Flags, seen: &Seen, export: &Export) -> Result<Outcome> {
    let format = match export.format {
        FileShape::Parquet => Format::Parquet,
        FileShape::Jsonl => Format::Jsonl,
        FileShape::Csv => Format::Csv,
    };
    let stdout = export.out.as_os_str() == "-";
    if stdout && (format == Format::Parquet || flags.json) {
        return Err(Error::halt(
            "only lines of JSON and CSV go to stdout, and no report beside them",
        )
        .because("usage")
        .help("name a file with --out FILE, or leave --json out"));
    }
    if !stdout && export.out.symlink_metadata().is_ok() {
        return Err(taken(&export.out));
    }
    let scan = scan(seen, &export.which, false)?;
    let scan = if export.newest { scan.newest() } else { scan };
    if stdout {
        return match write(&scan, out::Pipe::default(), format) {
            Err(error) if error.reason() == "pipe_closed" => Ok(Outcome::Done), // `| head`
            written => written.map(|_| Outcome::Done),
        };
    }
    let mut staged = Staged::create(&export.out)?;
    let rows = write(&scan, &mut staged, format)?;
    staged.commit()?;
    let bytes = std::fs::metadata(&export.out).map_or(0, |meta| meta.len());
    let what = format!(
        "{} rows, {}, in {}",
        out::thousands(rows),
        out::bytes(bytes),
        export.out.display()
    );
    out::line(flags, what);
    out::json(flags, &json!({ "out": export.out, "rows": rows, "bytes": bytes }))?;
    Ok(Outcome::Done)
}

fn write(scan: &Scan, to: impl Write, format: Format) -> Result<u64> {
    let mut written = Written::to(to, format).with(&scan.empty()?)?;
    for frame in scan.frames()? {
        written = written.with(&frame?)?;
    }
    written.end()
}

fn taken(path: &std::path::Path) -> Error {
    Error::halt(format!("{} is there already", path.display()))
        .because("exists")
        .help("name another file with --out, or move that one away; nothing is written over")
}
