//! Promise: the house stays one that can be seen.

use crate::support::program::files_like;
use std::path::Path;

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
