//! Compile errors are part of the product: each file in `ui/` makes one mistake and says how the
//! compiler must tell it.
//!
//! After a change of words or signatures, renew the expected texts with
//! `TRYBUILD=overwrite cargo test -p tidemill-pipeline --test compile_errors`, and read the diff.

#[path = "ui/parts/mod.rs"]
mod parts;

use parts::{Fetch, Links, Page, PageFiles, PageTable};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tidemill_pipeline::{Archive, Job, Mill, Pipeline, Result};

/// The compiler whose words the expected texts are; another one may put them differently.
const RUSTC: &str = "rustc 1.95.";

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn mistakes_are_told_as_expected() {
    let rustc = Command::new("rustc").arg("--version").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    if !rustc.starts_with(RUSTC) {
        eprintln!("skipped: the expected texts are those of {RUSTC}x, this is {rustc}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// The expected texts are written by the compiler; what has to be in them, by us.
#[test]
fn expected_texts_begin_with_the_mistake_and_hold_the_help() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "rs")).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let source = fs::read_to_string(&case).unwrap();
        let said = |what| source.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        let stderr = fs::read_to_string(case.with_extension("stderr")).unwrap();
        let name = case.display();

        assert!(source.starts_with("//! Mistake: "), "{name} does not say its mistake");
        assert!(stderr.lines().next().unwrap().contains(said("//! Told: ")), "{name}: {stderr}");
        assert!(stderr.contains(said("//! Help: ")), "{name}: {stderr}");
    }
}

/// The same parts in the right order compile: each case fails by its mistake alone.
#[test]
fn the_parts_fit_in_the_right_order() {
    async fn keep(page: Page) -> Result<Page> {
        Ok(page)
    }
    let job: Job = Pipeline::named("news")
        .read(Links)
        .then(Fetch)
        .save(PageFiles)
        .map(keep)
        .store(PageTable)
        .offload(Archive::at("nas"));
    assert_eq!(job.nodes().len(), 5);
    assert_eq!(Mill::at("mill").daily("06:00", job).planned().len(), 1);
}
