//! The program as a service: where it lies, what it is called with, and in which folder.

use std::path::Path;
use tidemill_pipeline::{Error, Result};

/// Everything that a service manager is told; all paths are absolute.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// What the service is called.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) arguments: Vec<String>,
    /// The folder that it works in.
    pub(crate) folder: String,
    pub(crate) home: String,
    pub(crate) archive: Option<String>,
    /// What it reads of the environment, as far as it is set here.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Program {
    /// Whether it lies where cargo built it: the next `cargo clean` takes it away.
    pub(crate) fn is_build(&self) -> bool {
        let folders = Path::new(&self.path).ancestors().skip(1);
        folders.into_iter().any(|folder| folder.ends_with("target"))
    }
}

/// A path as text that a line can hold.
///
/// # Errors
/// When it is no UTF-8, or has a line break or another control character in it.
pub(crate) fn text(path: &Path) -> Result<String> {
    let plain = path.to_str().filter(|text| !text.chars().any(char::is_control));
    plain.map(str::to_string).ok_or_else(|| {
        Error::halt(format!("no service file can name {path:?}"))
            .because("usage")
            .help("use a folder whose name is plain text")
    })
}
