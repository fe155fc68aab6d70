//! `export`: one file of many, for whoever wants it.

use super::yard::{Second, Yard, key, second};
use crate::support::program::files;
use serde_json::Value;

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn lines_of_json_hold_every_row_and_column() {
    let yard = Yard::years();
    let out = yard.run(&["export", "notes", "--format", "jsonl", "--out", "-"]).code(0).stdout;
    let all = rows(&out);
    assert_eq!(all.len(), 54);
    assert!(out.starts_with(r#"{"title":"Ebb, no. 0","score":-3.0,"draft":true,"_key":"#), "{out}");
    assert_eq!(all[0]["language"], Value::Null);
    assert_eq!((&all[0]["dt"], &all[0]["pipeline"]), (&"2024-03-01".into(), &"news".into()));
    let range = ["export", "notes", "--format", "jsonl", "--out", "-", "--since", "2025-01-01"];
    assert_eq!(rows(&yard.run(&range).code(0).stdout).len(), 36);
    let newest = ["export", "notes", "--format", "jsonl", "--out", "-", "--newest"];
    assert_eq!(rows(&yard.run(&newest).code(0).stdout).len(), 38);
    let coast = ["export", "notes", "--format", "jsonl", "--out", "-", "--pipeline", "coast"];
    assert!(rows(&yard.run(&coast).code(0).stdout).iter().all(|row| row["pipeline"] == "coast"));
}

#[test]
fn a_file_appears_whole_and_is_never_written_over() {
    let yard = Yard::years();
    for format in ["parquet", "jsonl", "csv"] {
        let file = yard.place.path(format);
        let name = file.to_str().unwrap();
        let report = yard.json(&["export", "notes", "--format", format, "--out", name]);
        assert_eq!(report["rows"], 54, "{report}");
        let before = std::fs::read(&file).unwrap();
        assert_eq!(report["bytes"], before.len());
        let (reason, _) = yard.refused(&["export", "notes", "--format", format, "--out", name]);
        assert_eq!(reason, "exists");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
    let csv = std::fs::read_to_string(yard.place.path("csv")).unwrap();
    assert!(csv.starts_with("\"title\",\"score\",\"draft\",\"_key\","), "{csv}");
    assert_eq!(csv.lines().count(), 55);
    let nowhere = yard.place.path("no/such/folder.csv");
    let refused =
        yard.refused(&["export", "notes", "--format", "csv", "--out", nowhere.to_str().unwrap()]);
    assert!(refused.1.contains("folder.csv"), "{}", refused.1);
}

#[test]
fn a_spreadsheet_finds_no_formula() {
    let yard = Yard::empty();
    let row = Second {
        title: "=HYPERLINK(\"http://x\",\"y\")".into(),
        language: Some("-1".into()),
        ..second(1)
    };
    yard.add("news", "2026-03-01", 0, [(key(1), Second { score: -2.5, ..row })].into_iter());
    let out = yard.run(&["export", "notes", "--format", "csv", "--out", "-"]).code(0).stdout;
    assert!(out.contains(r#""'=HYPERLINK(""http://x"",""y"")",-2.5,"'-1","#), "{out}");
}

#[test]
fn a_failed_export_leaves_nothing() {
    let yard = Yard::years();
    let folder = yard.add("news", "2026-05-01", 0, [(key(1), second(1))].into_iter());
    let path = folder.join("part-0000.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4..200].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let before = files(&yard.place.path(".")).len();
    let (reason, _) = yard.refused(&["export", "notes", "--format", "csv", "--out", "new.csv"]);
    assert_eq!(reason, "no_parquet");
    assert_eq!(files(&yard.place.path(".")).len(), before);
}
