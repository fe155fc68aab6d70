//! The same archive read by DuckDB: the same counts, sums, types and newest versions.

use super::yard::Yard;
use crate::support::program::python;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// What DuckDB makes of the archive, and of an export of it.
fn duckdb(yard: &Yard, exported: &str) -> Option<Value> {
    let python = python("parity with DuckDB")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dataset/parity.py");
    let output = Command::new(python).arg(script).arg(yard.nas()).arg(exported).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_str(&told).unwrap())
}

/// The same sums, of exported rows.
fn sums(rows: &[Value]) -> Value {
    let mut pipelines: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in rows {
        pipelines.entry(row["pipeline"].as_str().unwrap()).or_default().push(row);
    }
    let sum = |(pipeline, rows): (&str, Vec<&Value>)| {
        let there = |name: &str| rows.iter().filter(|row| !row[name].is_null()).count();
        let titles: std::collections::BTreeSet<_> =
            rows.iter().map(|row| row["title"].as_str().unwrap()).collect();
        let score: f64 = rows.iter().map(|row| row["score"].as_f64().unwrap()).sum();
        let dates = || rows.iter().map(|row| row["dt"].as_str().unwrap());
        let drafts = rows.iter().filter(|row| row["draft"] == true).count();
        json!([
            pipeline,
            rows.len(),
            score,
            titles.len(),
            there("language"),
            there("draft"),
            drafts,
            dates().min(),
            dates().max()
        ])
    };
    pipelines.into_iter().map(sum).collect()
}

fn exported(yard: &Yard, more: &[&str]) -> Vec<Value> {
    let verb = ["export", "notes", "--format", "jsonl", "--out", "-"];
    let out = yard.run(&[&verb, more].concat()).code(0).stdout;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn schema(yard: &Yard) -> Map<String, Value> {
    let columns = yard.json(&["schema", "notes"]);
    let column = |column: &Value| {
        let holds = match column["type"].as_str().unwrap() {
            "text" => "VARCHAR",
            "real" => "DOUBLE",
            "integer" => "BIGINT",
            "boolean" => "BOOLEAN",
            "date" => "DATE",
            other => panic!("{other}"),
        };
        (column["column"].as_str().unwrap().to_owned(), json!(holds))
    };
    columns.as_array().unwrap().iter().map(column).collect()
}

#[test]
fn duckdb_sees_the_same_rows_types_and_newest_versions() {
    let yard = Yard::years();
    let file = yard.place.path("all.parquet");
    let file = file.to_str().unwrap();
    yard.run(&["export", "notes", "--format", "parquet", "--out", file]).code(0);
    let Some(theirs) = duckdb(&yard, file) else { return };
    assert_eq!(Value::Object(schema(&yard)), theirs["schema"]);
    assert_eq!(theirs["exported_schema"], theirs["schema"]);
    let all = sums(&exported(&yard, &[]));
    assert_eq!(all, theirs["all"]);
    assert_eq!(all, theirs["exported"]);
    let newest = exported(&yard, &["--newest"]);
    assert_eq!(sums(&newest), theirs["newest"]);
    let mut keys: Vec<_> =
        newest.iter().map(|row| json!([row["pipeline"], row["_key"], row["_run"]])).collect();
    keys.sort_by_key(ToString::to_string);
    let mut others = theirs["keys"].as_array().unwrap().clone();
    others.sort_by_key(ToString::to_string);
    assert_eq!(keys, others);
}

#[cfg(feature = "sql")]
#[test]
fn sql_says_what_duckdb_says() {
    let yard = Yard::years();
    let file = yard.place.path("all.parquet");
    let file = file.to_str().unwrap();
    yard.run(&["export", "notes", "--format", "parquet", "--out", file]).code(0);
    let Some(theirs) = duckdb(&yard, file) else { return };
    for (table, sums) in [("notes", "all"), ("notes_newest", "newest")] {
        let query = format!(
            "SELECT pipeline, count(*) AS a, sum(score) AS b, count(DISTINCT title) AS c, \
             count(language) AS d, count(draft) AS e, sum(CASE WHEN draft THEN 1 ELSE 0 END) AS f, \
             min(dt) AS g, max(dt) AS h FROM {table} GROUP BY pipeline ORDER BY pipeline"
        );
        let rows = yard.json(&["sql", &query]);
        let names = ["pipeline", "a", "b", "c", "d", "e", "f", "g", "h"];
        let row = |row: &Value| Value::from(names.map(|name| row[name].clone()).to_vec());
        let ours: Value = rows.as_array().unwrap().iter().map(row).collect();
        assert_eq!(ours, theirs[sums], "{table}");
    }
}
