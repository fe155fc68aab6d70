//! Rows as an aligned table for people, as wide as a terminal.

use crate::cli::out;
use serde_json::Value as Json;

/// How wide a table may be, in characters.
const WIDE: usize = 100;
/// With less room than this a longer text is of no use.
const NARROW: usize = 14;
const GAP: usize = 2;

/// A table whose columns have their widths.
pub(super) struct Table {
    /// The places of the columns that fit, with their widths.
    columns: Vec<(usize, usize)>,
    numbers: Vec<bool>,
    names: Vec<String>,
    left_out: Vec<String>,
}

impl Table {
    /// Finds widths for these rows; those that come later are cut to them.
    pub(super) fn fitted(names: &[String], numbers: &[bool], rows: &[Vec<Json>]) -> Self {
        let number = |n: usize| numbers.get(n).copied().unwrap_or(false);
        let mut columns: Vec<(usize, usize)> = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let widest = rows.iter().filter_map(|row| row.get(n)).map(|value| width(&shown(value)));
            columns.push((n, widest.max().unwrap_or(0).max(width(name))));
        }
        let mut left_out = Vec::new();
        let room =
            |columns: &[(usize, usize)]| WIDE.saturating_sub(GAP * columns.len().saturating_sub(1));
        let least =
            |&(n, width): &(usize, usize)| if number(n) { width } else { width.min(NARROW) };
        while columns.len() > 1 && columns.iter().map(least).sum::<usize>() > room(&columns) {
            left_out.extend(columns.pop().and_then(|(n, _)| names.get(n).cloned()));
        }
        left_out.reverse();
        // The widest column of text gives way first.
        while columns.iter().map(|(_, width)| width).sum::<usize>() > room(&columns) {
            let text = columns.iter_mut().filter(|(n, width)| !number(*n) && *width > NARROW);
            let Some((_, widest)) = text.max_by_key(|(_, width)| *width) else { break };
            *widest -= 1;
        }
        Self { columns, numbers: numbers.to_vec(), names: names.to_vec(), left_out }
    }

    /// The names of the columns that did not fit.
    #[cfg(any(test, feature = "dataset"))]
    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The line with the names.
    pub(super) fn head(&self) -> String {
        self.line(|n| self.names.get(n).cloned().unwrap_or_default())
    }

    /// The line of a row.
    pub(super) fn row(&self, row: &[Json]) -> String {
        self.line(|n| row.get(n).map(shown).unwrap_or_default())
    }

    fn line(&self, cell: impl Fn(usize) -> String) -> String {
        let cell = |&(n, wide): &(usize, usize)| {
            let text = out::short(&cell(n), wide);
            let pad = " ".repeat(wide.saturating_sub(width(&text)));
            if self.numbers.get(n).copied().unwrap_or(false) { pad + &text } else { text + &pad }
        };
        let line = self.columns.iter().map(cell).collect::<Vec<_>>();
        line.join(&" ".repeat(GAP)).trim_end().to_owned()
    }
}

/// A whole table of few columns, a line each.
pub(super) fn lines(names: &[&str], numbers: &[bool], rows: &[Vec<Json>]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let table = Table::fitted(&names, numbers, rows);
    let mut lines = vec![table.head()];
    lines.extend(rows.iter().map(|row| table.row(row)));
    if !table.left_out.is_empty() {
        lines.push(format!("not shown, for want of room: {}", table.left_out.join(", ")));
    }
    lines
}

fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => out::short(text, 4 * WIDE),
        other => other.to_string(),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_stand_right_and_text_gives_way() {
        let long = "tide ".repeat(60);
        let rows = vec![
            vec![json!("a\u{1b}[2J"), json!(7), json!(long)],
            vec![json!(null), json!(1234), json!("b")],
        ];
        let lines = lines(&["name", "n", "text"], &[false, true, false], &rows);
        assert!(lines.iter().all(|line| width(line) <= WIDE), "{lines:#?}");
        assert!(lines[0].starts_with("name      n  text"), "{lines:#?}");
        assert!(lines[1].starts_with("a [2J     7  tide tide"), "{lines:#?}");
        assert!(lines[1].ends_with('…') && lines[2].ends_with("1234  b"), "{lines:#?}");
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let names: Vec<String> = (0..20).map(|n| format!("column_{n}")).collect();
        let row = vec![json!("some words that are not short"); 20];
        let table = Table::fitted(&names, &[false; 20], std::slice::from_ref(&row));
        assert!(width(&table.row(&row)) <= WIDE);
        assert_eq!(table.left_out().len() + table.columns.len(), 20);
        assert_eq!(table.left_out().last().map(String::as_str), Some("column_19"));
    }
}
