//! A table follows its type: new and removed fields are taken, what does not fit is refused early.

use super::bench::Bench;
use super::parts::{Note, Notes, table};
use serde::{Deserialize, Serialize};
use tidemill_pipeline::run::RunReport;
use tidemill_pipeline::{Item, Pipeline, Result};
use tidemill_stages::sqlite::{Keyed, Table};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Longer {
    key: String,
    text: String,
    words: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shorter {
    key: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Other {
    key: String,
    text: u32,
}

fn notes<T: Item>(key: &str) -> Keyed<T> {
    Table::named("notes").keyed_by::<T>(key)
}

async fn run<T: Item>(
    bench: &Bench,
    source: Notes,
    make: impl Fn(Note) -> T + Send + Sync + 'static,
    table: Keyed<T>,
) -> Result<RunReport> {
    let mapped = Pipeline::named("tables").read(source).map(move |note| {
        let made = make(note);
        async move { Ok(made) }
    });
    bench.run(mapped.store(table)).await
}

fn longer(note: Note) -> Longer {
    Longer { words: 1, key: note.key, text: note.text }
}

#[tokio::test]
async fn a_new_field_becomes_a_nullable_column() {
    let bench = Bench::new();
    run(&bench, Notes::of([("a", "ebb")]), |note| note, table()).await.unwrap();
    run(&bench, Notes::of([("b", "flow")]), longer, notes("key")).await.unwrap();
    let rows = bench.rows("SELECT key, text, words FROM notes ORDER BY key");
    assert_eq!(rows, ["a|ebb|NULL", "b|flow|1"]);
}

#[tokio::test]
async fn a_removed_field_leaves_null_in_the_rows_that_are_written() {
    let bench = Bench::new();
    let old = Notes::of([("a", "ebb"), ("b", "flow")]);
    run(&bench, old, longer, notes("key")).await.unwrap();
    let new = Notes::of([("b", "slack"), ("c", "neap")]);
    run(&bench, new, |note| note, table()).await.unwrap();
    let rows = bench.rows("SELECT key, text, words FROM notes ORDER BY key");
    assert_eq!(rows, ["a|ebb|1", "b|slack|NULL", "c|neap|NULL"], "no old word count at a new text");
}

#[tokio::test]
async fn a_changed_type_or_key_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    run(&bench, Notes::of([("a", "ebb")]), |note| note, table()).await.unwrap();
    let (typed, keyed) = (Notes::of([("b", "1")]), Notes::of([("b", "1")]));
    let (typed_reads, keyed_reads) = (typed.reads.clone(), keyed.reads.clone());
    let make = |note: Note| Other { key: note.key, text: 1 };
    let by_type = run(&bench, typed, make, notes("key")).await.unwrap_err();
    let by_key = run(&bench, keyed, |note| note, notes("text")).await.unwrap_err();
    for error in [&by_type, &by_key] {
        assert_eq!(error.reason(), "table_misfit", "{error:?}");
        assert!(error.guidance().is_some_and(|help| help.contains("new name")), "{error:?}");
    }
    assert!(by_type.message().contains("`text` holds TEXT"), "{by_type:?}");
    assert_eq!((typed_reads.count(), keyed_reads.count()), (0, 0));
    assert_eq!(bench.rows("SELECT count(*) FROM tm_runs"), ["1"], "no run was begun");
}

#[tokio::test]
async fn a_key_that_is_no_field_is_refused_with_the_fields() {
    let bench = Bench::new();
    let source = Notes::of([("a", "ebb")]);
    let reads = source.reads.clone();
    let make = |note: Note| Shorter { key: note.key };
    let error = run(&bench, source, make, notes("url")).await.unwrap_err();
    assert_eq!((error.reason(), reads.count()), ("table_misfit", 0), "{error:?}");
    assert_eq!(error.guidance(), Some("key it by one of: key"));
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Loose {
    key: Option<String>,
    text: String,
}

#[tokio::test]
async fn a_row_without_its_key_is_parked_and_stops_nothing() {
    let bench = Bench::new();
    for text in ["ebb", "flow"] {
        let source = Notes::of([("a", text), ("none", text)]);
        let make =
            |note: Note| Loose { key: (note.key == "a").then_some(note.key), text: note.text };
        let report = run(&bench, source, make, notes("key")).await.unwrap();
        assert_eq!((report.items.done, report.items.parked), (1, 1));
        assert_eq!(bench.rows("SELECT key, text FROM notes"), [format!("a|{text}")]);
    }
    assert_eq!(bench.parked()[0].reason, "row_does_not_fit");
}

#[tokio::test]
async fn a_row_names_the_run_that_wrote_it_and_keeps_it_while_unchanged() {
    let bench = Bench::new();
    let source = |b: &'static str| Notes::of([("a", "ebb"), ("b", b)]).without_content();
    let first = run(&bench, source("flow"), |note| note, table()).await.unwrap();
    let second = run(&bench, source("slack"), |note| note, table()).await.unwrap();
    assert_eq!(second.changed_rows, 1);
    let rows = bench.rows("SELECT key, _run FROM notes ORDER BY key");
    assert_eq!(rows, [format!("a|{}", first.run), format!("b|{}", second.run)]);
}
