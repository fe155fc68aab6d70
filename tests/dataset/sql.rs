//! `sql`: questions, and nothing but questions.

use super::yard::{Yard, key, second};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn a_question_is_answered_over_all_years_and_pipelines() {
    let yard = Yard::years();
    let rows = yard.json(&["sql", "SELECT pipeline, count(*) AS n, sum(score) AS s, min(dt) AS first FROM notes GROUP BY pipeline ORDER BY pipeline"]);
    let coast: f64 = (0..3).flat_map(|n| (0..6).map(move |i| second(n * 5 + i).score)).sum();
    let first: f64 = (0..3).flat_map(|n| (0..6).map(move |i| (n * 4 + i) as f64 - 3.0)).sum();
    let later: f64 = (0..3).flat_map(|n| (0..6).map(move |i| second(n * 4 + i + 8).score)).sum();
    let expected = json!([
        {"pipeline": "coast", "n": 18, "s": coast, "first": "2025-03-01"},
        {"pipeline": "news", "n": 36, "s": first + later, "first": "2024-03-01"},
    ]);
    assert_eq!(rows, expected);
    let newest = yard
        .json(&["sql", "SELECT pipeline, count(*) AS n FROM notes_newest GROUP BY 1 ORDER BY 1"]);
    assert_eq!(newest, json!([{"pipeline": "coast", "n": 16}, {"pipeline": "news", "n": 22}]));
    let one =
        format!("SELECT run FROM notes_newest WHERE _key = '{}' AND pipeline = 'news'", key(9));
    let rows = yard.json(&["sql", &one]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert!(rows[0]["run"].as_str().unwrap().starts_with("20250301"), "{rows}");
}

#[test]
fn rows_are_printed_as_a_table_as_lines_and_as_csv() {
    let yard = Yard::years();
    let query = "WITH t AS (SELECT title, score FROM notes WHERE dt = '2025-03-01' AND pipeline = 'coast') SELECT * FROM t ORDER BY score LIMIT 2";
    let table = yard.run(&["sql", query]).code(0).says("2 rows").stdout;
    assert_eq!(table, "title        score\nEbb, no. 0    0.25\nFlöw, no. 1   1.25\n");
    let lines = yard.run(&["sql", query, "--format", "jsonl"]).code(0).stdout;
    assert_eq!(
        lines,
        "{\"title\":\"Ebb, no. 0\",\"score\":0.25}\n{\"title\":\"Flöw, no. 1\",\"score\":1.25}\n"
    );
    let csv = yard.run(&["sql", query, "--format", "csv"]).code(0).stdout;
    assert_eq!(csv, "\"title\",\"score\"\r\n\"Ebb, no. 0\",0.25\r\n\"Flöw, no. 1\",1.25\r\n");
    let none = "SELECT title FROM notes WHERE dt > '2031-01-01'";
    assert_eq!(yard.run(&["sql", none, "--format", "csv"]).code(0).stdout, "\"title\"\r\n");
    assert_eq!(yard.run(&["sql", none]).code(0).says("0 rows").stdout, "title\n");
    assert_eq!(yard.json(&["sql", none]), json!([]));
}

/// Leaves a file its footer, and its rows unreadable.
fn garble(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let n = bytes.len();
    let footer = u32::from_le_bytes(bytes[n - 8..n - 4].try_into().unwrap()) as usize + 8;
    bytes[4..n - footer].fill(0xff);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_filter_on_a_partition_reads_no_other_file() {
    let yard = Yard::years();
    for path in crate::support::program::files_like(&yard.nas(), ".parquet") {
        if !path.to_string_lossy().contains("dt=2025-07-01") {
            garble(&path);
        }
    }
    let sum = "SELECT count(*) AS n, sum(score) > 0 AS s FROM notes WHERE";
    let filters = [
        ("dt = '2025-07-01'", 12),
        ("dt >= '2025-07-01' AND dt < '2025-12-31'", 12),
        ("dt BETWEEN '2025-07-01' AND '2025-07-31' AND pipeline = 'coast'", 6),
        ("run LIKE '20250701%'", 12),
        ("dt = '2025-07-01' AND title <> ''", 12),
        ("pipeline = 'elsewhere'", 0),
    ];
    for (filter, n) in filters {
        let rows = yard.json(&["sql", &format!("{sum} {filter}")]);
        assert_eq!(rows[0]["n"], n, "{filter}");
    }
    let (reason, _) = yard.refused(&["sql", &format!("{sum} score > -100")]);
    assert_eq!(reason, "sql", "the others cannot be read");
}

#[test]
fn nothing_but_a_query_is_taken() {
    let yard = Yard::years();
    let before = crate::support::program::files(&yard.nas());
    for query in [
        "DELETE FROM notes",
        "CREATE TABLE t AS SELECT * FROM notes",
        "DROP TABLE notes",
        "/* SELECT */ TRUNCATE TABLE notes",
        "SHOW TABLES",
        "",
        "selecting",
    ] {
        let (reason, told) = yard.refused(&["sql", query]);
        assert_eq!(reason, "usage", "{query}: {told}");
    }
    let two = yard.refused(&["sql", "SELECT 1; DROP TABLE notes"]);
    assert_eq!(two.0, "sql", "{}", two.1);
    assert_eq!(crate::support::program::files(&yard.nas()), before);
    yard.run(&["sql", "  (SELECT count(*) FROM notes)"]).code(0);
}

#[test]
fn what_a_query_gets_wrong_is_told_with_what_there_is() {
    let yard = Yard::years();
    let (reason, told) = yard.refused(&["sql", "SELECT * FROM summaries"]);
    assert_eq!(reason, "dataset_missing");
    assert!(told.contains("`summaries`") && told.contains("notes"), "{told}");
    let (reason, told) = yard.refused(&["sql", "SELECT titel FROM notes"]);
    assert_eq!(reason, "sql");
    assert!(told.contains("titel") && told.contains("dataset schema"), "{told}");
    let (reason, told) = yard.refused(&["sql", "SELECT 1 +"]);
    assert_eq!(reason, "sql", "{told}");
}

#[test]
fn sums_are_those_of_the_rows_that_are_exported() {
    let yard = Yard::years();
    let out = yard.run(&["export", "notes", "--format", "jsonl", "--out", "-", "--newest"]).code(0);
    let scores = out
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["score"].as_f64().unwrap());
    let sum: f64 = scores.sum();
    let rows = yard.json(&["sql", "SELECT sum(score) AS s FROM notes_newest"]);
    assert_eq!(rows[0]["s"], sum);
}
