//! `sql`: a query over the datasets, and its rows as they come.

use super::place::Seen;
use super::table::Table;
use super::{Shape, Sql, rows};
use crate::Outcome;
use crate::cli::flags::Flags;
use crate::cli::out;
use tidemill_pipeline::Result;
use tidemill_pipeline::tier::Tier;
use tidemill_stages::dataset::{Format, Rows, Written, query};

pub(super) fn run(flags: &Flags, seen: &Seen, sql: &Sql) -> Result<Outcome> {
    let tier = seen.tier()?;
    if flags.json {
        let mut all = Vec::new();
        query(&tier, &sql.query, &mut |frame| {
            let Rows { names, rows, .. } = Rows::of(&frame)?;
            all.extend(rows.into_iter().map(|row| rows::object(&names, row)));
            Ok(())
        })?;
        out::json(flags, &all)?;
        return Ok(Outcome::Done);
    }
    match sql.format {
        Shape::Table => in_table(flags, &tier, &sql.query)?,
        Shape::Jsonl => written(&tier, &sql.query, Format::Jsonl)?,
        Shape::Csv => written(&tier, &sql.query, Format::Csv)?,
    }
    Ok(Outcome::Done)
}

/// Prints rows as they come; the first ones say how wide the columns are.
fn in_table(flags: &Flags, tier: &Tier, sql: &str) -> Result<()> {
    let (mut fitted, mut count) = (None, 0_u64);
    let mut empty = None;
    query(tier, sql, &mut |frame| {
        let some = Rows::of(&frame)?;
        if some.rows.is_empty() {
            empty.get_or_insert(some);
            return Ok(());
        }
        let table = fitted.get_or_insert_with(|| {
            let table = Table::fitted(&some.names, &some.numbers, &some.rows);
            out::result(flags, table.head());
            table
        });
        some.rows.iter().for_each(|row| out::result(flags, table.row(row)));
        count += some.rows.len() as u64;
        Ok(())
    })?;
    match (&fitted, empty) {
        (Some(table), _) => rows::left_out(flags, table),
        (None, Some(none)) => out::result(flags, none.names.join("  ")),
        (None, None) => {}
    }
    out::remark(flags, out::count(count, "row"));
    Ok(())
}

fn written(tier: &Tier, sql: &str, format: Format) -> Result<()> {
    let mut written = Some(Written::to(out::Pipe::default(), format));
    let done = query(tier, sql, &mut |frame| {
        if let Some(before) = written.take() {
            written = Some(before.with(&frame)?);
        }
        Ok(())
    });
    let done = done.and_then(|()| written.map_or(Ok(0), Written::end).map(|_| ()));
    match done {
        Err(error) if error.reason() == "pipe_closed" => Ok(()), // `| head`
        other => other,
    }
}
