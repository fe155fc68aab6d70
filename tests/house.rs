//! Promise: the house stays one that can be seen.

use crate::support::program::files_like;
use std::path::{Path, PathBuf};

/// Lines of a file, comments and all. The aim is a third of it.
const LONGEST: usize = 400;

#[test]
fn every_file_says_what_lives_there_and_stays_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for folder in ["src", "pipeline/src", "stages/src", "examples", "tests"] {
        for file in files_like(&root.join(folder), ".rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.display();
            assert!(text.starts_with("//! "), "{name} does not say what lives there");
            assert!(text.lines().count() <= LONGEST, "{name} has {} lines", text.lines().count());
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen} files were looked at");
}

#[test]
fn the_parts_depend_on_the_machine_and_never_the_other_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let machine = std::fs::read_to_string(root.join("pipeline/Cargo.toml")).unwrap();
    for stranger in ["tidemill-stages", "reqwest", "scraper", "clap", "polars", "ollama-rs"] {
        assert!(!machine.contains(stranger), "the machine knows {stranger}");
    }
    let parts = std::fs::read_to_string(root.join("stages/Cargo.toml")).unwrap();
    for stranger in ["clap", "indicatif"] {
        assert!(!parts.contains(stranger), "the parts know {stranger}");
    }
}

/// A thread or task that is begun without the run's span says what nobody can assign.
#[test]
fn what_a_run_begins_elsewhere_stays_with_the_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["pipeline/src/run", "stages/src/fetch", "stages/src/feed", "stages/src/crawl"];
    let folders = folders.into_iter().chain(["stages/src/extract", "stages/src/dataset"]);
    let (mut seen, files) = (0, folders.flat_map(|folder| files_like(&root.join(folder), ".rs")));
    for file in files.collect::<Vec<PathBuf>>() {
        let text = std::fs::read_to_string(&file).unwrap();
        let count = |words: &[&str]| -> usize {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            code.map(|line| words.iter().filter(|word| line.contains(**word)).count()).sum()
        };
        let begun = count(&["tokio::spawn(", "spawn_blocking(", "thread::Builder"]);
        let kept = count(&["in_run(", ".in_current_span()"]);
        assert!(begun <= kept, "{} begins {begun}, and {kept} keep the span", file.display());
        seen += begun;
    }
    assert!(seen > 10, "{seen} were looked at");
}
