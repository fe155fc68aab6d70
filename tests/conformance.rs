//! Promise: our own parts keep the rules of the public suites, and each rule can be broken: an
//! implementor that breaks it is told so by its name.

#[path = "conformance/broken_file_sink.rs"]
mod broken_file_sink;
#[path = "conformance/broken_ledger_sink.rs"]
mod broken_ledger_sink;
#[path = "conformance/broken_source.rs"]
mod broken_source;
#[path = "conformance/broken_stage.rs"]
mod broken_stage;
#[path = "conformance/helper.rs"]
mod helper;
#[path = "conformance/own.rs"]
mod own;

use std::collections::BTreeSet;
use std::path::Path;
use tidemill_pipeline::Result;

/// The rules that a suite's documentation lists in the first column of its table.
fn documented(suite: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline/src/testing");
    let text = std::fs::read_to_string(root.join(suite)).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("/// | `"));
    let first = rows.filter_map(|row| row.split(" | ").next());
    first
        .flat_map(|cell| cell.split([',', ' ', '`']))
        .filter(|w| !w.is_empty())
        .map(String::from)
        .collect()
}

/// Checks that a suite named the rule.
#[track_caller]
fn names(rule: &str, checked: Result<()>) {
    let Err(error) = checked else { panic!("the suite does not see that {rule} is broken") };
    assert_eq!(error.reason(), rule, "{error:?}");
    assert!(error.guidance().is_some(), "{rule} says what to do: {error:?}");
}

/// Checks that every rule of a suite is broken by somebody.
#[track_caller]
fn all_are_broken<'a>(suite: &str, broken: impl Iterator<Item = &'a str>) {
    let broken: BTreeSet<_> = broken.map(String::from).collect();
    assert_eq!(
        broken,
        documented(suite),
        "rules without an implementor that breaks them, or without words"
    );
}
