//! `read`: the latest rows of the published tables, as a person reads them.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use serde_json::{Map, Value as Json};
use std::time::Duration;
use tidemill_pipeline::ledger::{PipelineRow, Read, params, types::ValueRef};
use tidemill_pipeline::{Error, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How far back: 12h, 1d, 2w
    #[arg(long, default_value = "1d", value_name = "AGE", value_parser = age)]
    since: Duration,
    /// At most this many rows
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// The pipeline; all when left out
    pipeline: Option<String>,
}

/// Reads an age as `30m`, `12h`, `1d`, `2w`.
fn age(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err("write it as 30m, 12h, 1d or 2w".into()),
    };
    let n: u64 = number.parse().map_err(|_| "write it as 30m, 12h, 1d or 2w")?;
    Ok(Duration::from_secs(n.saturating_mul(seconds)))
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    home::known(flags, mill, args.pipeline.as_deref()).await?;
    let home = home::look(flags, mill)?;
    let since = chrono::TimeDelta::from_std(args.since).unwrap_or(chrono::TimeDelta::MAX);
    let since = home.clock().now().checked_sub_signed(since).unwrap_or_default();
    let since = since.format("%Y%m%dT%H%M%SZ").to_string();
    let (wanted, limit) = (args.pipeline.clone(), args.limit);
    let rows = home
        .ledger()
        .read(move |read| {
            let pipelines = PipelineRow::all(read)?;
            let wanted = |row: &&PipelineRow| wanted.as_ref().is_none_or(|name| *name == row.name);
            let mut rows = Vec::new();
            let made = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            for table in pipelines.iter().filter(wanted).flat_map(|row| &row.tables) {
                if read.one(made, params![table], |_| Ok(()))?.is_none() {
                    continue; // its first run did not come that far
                }
                rows.extend(newest(read, table, &since, limit)?);
            }
            Ok(rows)
        })
        .await?;
    if rows.is_empty() {
        out::line(flags, "no rows that young; look further back with --since 7d");
    }
    for row in &rows {
        print(flags, row);
    }
    out::json(flags, &rows)?;
    Ok(Outcome::Done)
}

/// The newest rows of a table, as objects. Run ids begin with their time, so they sort by it.
fn newest(read: &Read<'_>, table: &str, since: &str, limit: u32) -> Result<Vec<Map<String, Json>>> {
    let sql = format!(
        "SELECT * FROM \"{}\" WHERE _run >= ?1 ORDER BY _run DESC, rowid LIMIT ?2",
        table.replace('"', "\"\"")
    );
    let mut rows = Vec::new();
    read.each(&sql, params![since, limit], |row| {
        let names: Vec<String> = row.as_ref().column_names().map(str::to_string).collect();
        let mut object = Map::new();
        for (n, name) in names.into_iter().enumerate() {
            object.insert(
                name,
                json(row.get_ref(n).map_err(|e| Error::halt("a row cannot be read").caused_by(e))?),
            );
        }
        rows.push(object);
        Ok(())
    })?;
    Ok(rows)
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(n) => n.into(),
        ValueRef::Real(n) => n.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
    }
}

fn print(flags: &Flags, row: &Map<String, Json>) {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default();
    if text("summary").is_empty() {
        out::result(flags, out::short(&Json::Object(row.clone()).to_string(), 160));
        return;
    }
    let by = match text("model") {
        "" => text("method"),
        model => model,
    };
    let about: Vec<&str> =
        [text("published"), text("language"), by].into_iter().filter(|t| !t.is_empty()).collect();
    out::result(flags, format!("\n{}", out::short(text("title"), 100)));
    out::result(flags, out::wrapped(text("summary"), 92, "  "));
    let mut line = vec![text("url")];
    line.extend(about);
    out::result(flags, format!("  {}", out::plain(&line.join(" · "))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_and_others_refused() {
        assert_eq!(age("2w").unwrap(), Duration::from_secs(1_209_600));
        assert_eq!(age("90m").unwrap(), Duration::from_secs(5400));
        for bad in ["", "d", "1", "1y", "-1d"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
