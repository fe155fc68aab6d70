//! Bad input: a clear message, and nothing changed.

use super::yard::{Yard, key, manifest, second};
use crate::support::program::files;
use serde::{Deserialize, Serialize};

#[test]
fn what_is_missing_is_named_with_what_is_there() {
    let yard = Yard::years();
    let (reason, told) = yard.refused(&["head", "llm_summaries"]);
    assert_eq!(reason, "dataset_missing");
    assert!(told.contains("no dataset `llm_summaries`") && told.contains("it has notes"), "{told}");
    let (reason, told) = yard.refused(&["show", "notes", "--pipeline", "sport"]);
    assert_eq!(reason, "dataset_missing");
    assert!(told.contains("coast, news"), "{told}");
    let (reason, told) = yard.refused(&["head", "notes", "--columns", "titel"]);
    assert_eq!(reason, "usage");
    assert!(told.contains("`titel`") && told.contains("title, score"), "{told}");
    let (reason, _) = yard.refused(&["head", "notes", "--run", "20990101T000000Z-aaaaaa"]);
    assert_eq!(reason, "run_missing");
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let yard = Yard::years();
    let range = ["--since", "2025-01-01", "--until", "2024-01-01"];
    for verb in [&["show", "notes"][..], &["head", "notes"], &["schema", "notes"]] {
        let (reason, told) = yard.refused(&[verb, &range].concat());
        assert_eq!(reason, "usage");
        assert!(told.contains("2025-01-01") && told.contains("before"), "{told}");
    }
    yard.run(&["show", "notes", "--since", "yesterday"]).code(2).says("7d");
}

#[test]
fn an_archive_that_is_away_or_never_was_one_is_told() {
    let yard = Yard::years();
    std::fs::remove_dir_all(yard.nas()).unwrap();
    for verb in [&["ls"][..], &["show", "notes"], &["head", "notes"]] {
        let (reason, told) = yard.refused(verb);
        assert_eq!(reason, "archive_new");
        assert!(told.contains("nas") && told.contains("mounted"), "{told}");
    }
    std::fs::create_dir_all(yard.nas().join(".tidemill")).unwrap();
    std::fs::write(yard.nas().join(".tidemill/tier.json"), "{torn").unwrap();
    assert_eq!(yard.refused(&["ls"]).0, "archive_away");
    assert_eq!(files(&yard.nas()).len(), 1, "nothing is written");
}

#[test]
fn files_that_are_not_what_their_manifest_says_are_named() {
    let yard = Yard::years();
    let folder = yard.add("news", "2026-05-01", 0, [(key(1), second(1))].into_iter());
    let path = folder.join("part-0000.parquet");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (reason, told) = yard.refused(&["head", "notes"]);
    assert_eq!(reason, "manifest_lies");
    assert!(told.contains("dt=2026-05-01") && told.contains("verify"), "{told}");
    std::fs::write(&path, vec![b'x'; bytes.len()]).unwrap();
    let (reason, told) = yard.refused(&["schema", "notes"]);
    assert_eq!(reason, "no_parquet");
    assert!(told.contains("part-0000.parquet"), "{told}");
    // The cure that is named works.
    let before = ["export", "notes", "--format", "jsonl", "--out", "-", "--until", "2026-04-30"];
    assert_eq!(yard.run(&before).code(0).stdout.lines().count(), 54);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(yard.refused(&["head", "notes"]).0, "manifest_lies");
}

#[test]
fn a_partition_with_a_foreign_schema_is_named_with_column_types_and_files() {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Foreign {
        score: String,
    }
    let yard = Yard::years();
    yard.add("news", "2026-05-01", 0, [(key(1), Foreign { score: "high".into() })].into_iter());
    for verb in ["head", "schema"] {
        let (reason, told) = yard.refused(&[verb, "notes"]);
        assert_eq!(reason, "foreign_schema");
        for part in ["`score`", "real", "text", "dt=2026-05-01", "part-0000.parquet and", "--since"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    yard.run(&["head", "notes", "--since", "2026-04-01"]).code(0);
    yard.run(&["head", "notes", "--until", "2026-04-01"]).code(0);
}

#[test]
fn what_is_no_table_says_what_it_is() {
    let yard = Yard::empty();
    let at = ("news", "2026-03-01", "20260301T000000Z-aaaaaa");
    let folder = yard.nas().join("logs/news/dt=2026-03-01/run=20260301T000000Z-aaaaaa");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("run.log"), "{}\n").unwrap();
    manifest(&folder, "logs", at, &["run.log".into()]);
    let (reason, told) = yard.refused(&["head", "logs"]);
    assert_eq!(reason, "no_table");
    assert!(told.contains("run.log"), "{told}");
    yard.run(&["show", "logs"]).code(0);
}
