//! Unusual yield: a source that gives nothing, or items that come out empty, where the runs before
//! had them.

use crate::Result;
use crate::ledger::{PipelineRow, Read, RunRow, params_from_iter, quoted};
use crate::run::Counts;

/// So many runs before are compared with.
const RUNS: usize = 14;

/// With fewer there is no usual.
const FEWEST: usize = 3;

/// What is unusual about a published run, in words.
pub(super) fn unusual(read: &Read<'_>, pipeline: &str, run: &str) -> Result<Option<String>> {
    let runs = RunRow::newest(read, Some(pipeline), 100)?;
    // A replay says nothing about the source.
    let of_source = |run: &&RunRow| run.state.is_published() && run.replay.is_none();
    let published: Vec<&RunRow> = runs.iter().filter(of_source).collect();
    let Some(place) = published.iter().position(|row| row.id == run) else { return Ok(None) };
    let now = published[place];
    let before: Vec<&RunRow> = published[place + 1..].iter().copied().take(RUNS).collect();
    let Some(counts) = counts_of(now) else { return Ok(None) };
    let history: Vec<Counts> = before.iter().filter_map(|run| counts_of(run)).collect();
    if let Some(words) = judge(counts, &history) {
        return Ok(Some(words));
    }
    if now.changed_rows == 0 || before.len() < FEWEST {
        return Ok(None);
    }
    let row = PipelineRow::all(read)?.into_iter().find(|row| row.name == pipeline);
    for table in row.map(|row| row.tables).unwrap_or_default() {
        if let Some(words) = empty_column(read, &table, run, &before)? {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

/// Where the items of a run ended, by its report.
pub(super) fn counts_of(run: &RunRow) -> Option<Counts> {
    serde_json::from_value(run.report.as_ref()?.get("items")?.clone()).ok()
}

fn judge(now: Counts, before: &[Counts]) -> Option<String> {
    if before.len() < FEWEST {
        return None;
    }
    let runs = before.len();
    let all = |items: &Counts| items.done + items.unchanged + items.waiting + items.parked;
    if all(&now) == 0 && before.iter().all(|items| all(items) > 0) {
        let usual = before.iter().map(all).sum::<u64>() / runs as u64;
        return Some(format!(
            "the source yielded nothing; the last {runs} runs had {usual} items on average"
        ));
    }
    let worked = now.done + now.parked;
    let (done, parked) =
        before.iter().fold((0, 0), |(done, parked), run| (done + run.done, parked + run.parked));
    let mostly = worked >= 3 && now.parked * 2 >= worked;
    let rarely = done >= 3 && parked * 10 < done;
    (mostly && rarely).then(|| {
        format!("{} of {worked} items came to nothing and were set aside; in the last {runs} runs {parked} of {}", now.parked, done + parked)
    })
}

/// A column that is empty in every row of this run, and was filled before.
fn empty_column(
    read: &Read<'_>,
    table: &str,
    run: &str,
    before: &[&RunRow],
) -> Result<Option<String>> {
    let sql = "SELECT name FROM pragma_table_info(?1)";
    let columns: Vec<String> = read.all(sql, [table], |row| row.get(0))?;
    if !columns.iter().any(|column| column == "_run") {
        return Ok(None);
    }
    let filled = |column: &String| {
        let name = quoted(column);
        format!("coalesce(sum({name} IS NOT NULL AND {name} <> ''), 0)")
    };
    let sums: Vec<String> = columns.iter().map(filled).collect();
    let count = |runs: &[&str]| -> Result<Vec<u64>> {
        let marks = vec!["?"; runs.len()].join(", ");
        let sql = format!(
            "SELECT count(*), {} FROM {} WHERE _run IN ({marks})",
            sums.join(", "),
            quoted(table)
        );
        let row = read.one(&sql, params_from_iter(runs), |row| {
            (0..=columns.len()).map(|n| row.get(n)).collect::<rusqlite::Result<Vec<u64>>>()
        })?;
        Ok(row.unwrap_or_default())
    };
    let (now, then) =
        (count(&[run])?, count(&before.iter().map(|run| run.id.as_str()).collect::<Vec<_>>())?);
    let (Some(rows), Some(old)) = (now.first().copied(), then.first().copied()) else {
        return Ok(None);
    };
    if rows < FEWEST as u64 || old < FEWEST as u64 {
        return Ok(None);
    }
    let emptied = columns.iter().zip(now.iter().skip(1).zip(then.iter().skip(1)));
    let emptied = emptied.filter(|(_, (now, then))| **now == 0 && **then * 2 > old);
    let names: Vec<&str> = emptied.map(|(name, _)| name.as_str()).collect();
    Ok((!names.is_empty()).then(|| {
        format!("`{}` of table {table} came out empty in all {rows} rows of this run; before it was filled", names.join("`, `"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(done: u64, unchanged: u64, parked: u64) -> Counts {
        Counts { done, unchanged, waiting: 0, parked }
    }

    #[test]
    fn nothing_where_there_always_was_something_is_unusual() {
        let usual = [counts(3, 17, 0), counts(0, 20, 0), counts(1, 19, 0)];
        assert!(judge(counts(0, 0, 0), &usual).unwrap().contains("yielded nothing"));
        assert_eq!(judge(counts(0, 20, 0), &usual), None, "a quiet day is none");
        let quiet = [counts(3, 17, 0), counts(0, 0, 0), counts(1, 19, 0)];
        assert_eq!(judge(counts(0, 0, 0), &quiet), None, "it happens with this source");
        assert_eq!(judge(counts(0, 0, 0), &usual[..2]), None, "nothing is usual yet");
    }

    #[test]
    fn items_that_come_to_nothing_all_at_once_are_unusual() {
        let usual = [counts(20, 0, 0), counts(20, 0, 1), counts(20, 0, 0)];
        assert!(judge(counts(2, 0, 18), &usual).unwrap().contains("18 of 20 items"));
        assert_eq!(judge(counts(15, 0, 5), &usual), None);
        let messy = [counts(10, 0, 10), counts(20, 0, 9), counts(20, 0, 0)];
        assert_eq!(judge(counts(2, 0, 18), &messy), None, "it is no news");
    }
}
