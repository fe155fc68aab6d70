//! Promise: a new project runs at once, and its program is the command line.

use crate::support::program::{Place, ended};
use std::path::Path;
use std::process::Command;

#[test]
fn a_new_project_runs_at_once_and_its_program_is_the_command_line() {
    let place = Place::new();
    place.run(&["new", "my-news"]).code(0);
    let project = place.path("my-news");
    for file in ["Cargo.toml", "src/main.rs", "seeds.txt", "README.md", ".gitignore"] {
        assert!(project.join(file).is_file(), "{file}");
    }
    place.run(&["new", "my-news"]).code(2).says("not empty");

    let run = ended(cargo_run(&project, &["run"])).code(0);
    assert!(run.stdout.contains("12 done"), "{}", run.stdout);
    assert!(run.stdout.contains("digests"), "{}", run.stdout);
    let plan = ended(cargo_run(&project, &["plan"])).code(0).stdout;
    assert!(plan.contains("daily 06:00, next "), "{plan}");
    for step in ["feed@1", "fetch@1", "extract@1", "summarise@1", "parquet@1", "table@1"] {
        assert!(plan.contains(step), "{step} in {plan}");
    }
    let again = ended(cargo_run(&project, &["run", "--json"])).code(0).stdout;
    assert!(again.contains("\"changed_rows\": 0"), "{again}");
}

/// Runs the project's program. It shares the target folder and the lock file of this build, so
/// that nothing heavy is built twice.
fn cargo_run(project: &Path, arguments: &[&str]) -> std::process::Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = project.join("Cargo.lock");
    if !lock.exists() {
        std::fs::copy(root.join("Cargo.lock"), &lock).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_tidemill"));
    let target = program.parent().unwrap().parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    // What this build tells its tests is not meant for the other build: some build scripts would
    // take it for a change, and half of the dependencies would be compiled again.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    command
        .args(["run", "--quiet", "--offline", "--"])
        .args(arguments)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target)
        .env("OLLAMA_HOST", "http://127.0.0.1:1")
        .env_remove("TIDEMILL_HOME")
        .env_remove("TIDEMILL_ARCHIVE")
        .output()
        .unwrap()
}
