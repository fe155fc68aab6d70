//! The ground that a program of figures stands on: the disk that it measures, and how it ends.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;
use tidemill_pipeline::Result;
use tidemill_pipeline::tier::guard;

/// A new folder on the disk that is measured: `TIDEMILL_BENCH_DIR`, else below the target folder.
pub(crate) fn fresh_folder() -> Result<TempDir> {
    let named = std::env::var_os("TIDEMILL_BENCH_DIR").map(PathBuf::from);
    let root = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    std::fs::create_dir_all(&root)?;
    Ok(tempfile::Builder::new().prefix("tidemill-bench-").tempdir_in(root)?)
}

/// What the disk of a folder is called in the figures.
pub(crate) fn disk(folder: &Path) -> Result<String> {
    Ok(match guard::file_system(folder)?.name.as_str() {
        "tmpfs" => "tmpfs: memory, not a disk; name another folder in TIDEMILL_BENCH_DIR".into(),
        name => name.to_string(),
    })
}

/// How a program of figures ends: with 1 when a bound was missed, with 2 when something could not be
/// measured.
pub(crate) fn ended(missed: Result<u32>) -> ExitCode {
    match missed {
        Ok(missed) => ExitCode::from(u8::from(missed > 0)),
        Err(error) => {
            say(&format!("not measured: {error}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a program")]
fn say(line: &str) {
    eprintln!("{line}");
}
