//! Where am I? The home by flag, environment, code or default; and the line that says so.

use super::flags::Flags;
use super::out;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_pipeline::ledger::PipelineRow;
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::{Error, Mill, Result};

/// The home's folder: flag or environment, then code, then default.
pub(super) fn place(flags: &Flags, mill: Option<&Mill>) -> Result<PathBuf> {
    if let Some(home) = &flags.home {
        return Ok(home.clone());
    }
    match mill {
        Some(mill) => Ok(mill.home().to_path_buf()),
        None => default(),
    }
}

/// `data/` inside a project, else the platform's folder for data.
pub(super) fn default() -> Result<PathBuf> {
    if Path::new("Cargo.toml").is_file() && Path::new("data").is_dir() {
        return Ok(PathBuf::from("data"));
    }
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = match (set("XDG_DATA_HOME"), set("HOME")) {
        (Some(data), _) => Some(data),
        (None, Some(user)) if cfg!(target_os = "macos") => {
            Some(user.join("Library/Application Support"))
        }
        (None, Some(user)) => Some(user.join(".local/share")),
        (None, None) => None,
    };
    folder.map(|folder| folder.join("tidemill")).ok_or_else(|| {
        Error::halt("there is no folder for the home")
            .because("usage")
            .help("name one with --home DIR")
    })
}

/// Opens the home to change it.
pub(super) fn own(flags: &Flags, place: &Path) -> Result<Arc<Home>> {
    open(flags, place, HomeOptions::owner())
}

/// Opens the home to look at it; it must be there.
pub(super) fn look(flags: &Flags, mill: Option<&Mill>) -> Result<Arc<Home>> {
    let home = open(flags, &place(flags, mill)?, HomeOptions::default())?;
    out::line(flags, format!("home {}", home.root().display()));
    Ok(home)
}

/// Opens the home to look at it, without a word.
pub(super) fn peek(flags: &Flags, mill: Option<&Mill>) -> Result<Arc<Home>> {
    open(flags, &place(flags, mill)?, HomeOptions::default())
}

/// As [`peek`], for verbs that change the mill later: a ledger of an earlier version is brought up to
/// date first.
pub(super) fn renewed(flags: &Flags, mill: Option<&Mill>) -> Result<Arc<Home>> {
    match peek(flags, mill) {
        Err(error) if error.reason() == "ledger_version" => {
            drop(own(flags, &place(flags, mill)?)?);
            peek(flags, mill)
        }
        seen => seen,
    }
}

/// Refuses the name of a pipeline that neither the code nor the home knows.
pub(super) async fn known(flags: &Flags, mill: Option<&Mill>, name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    if let Some(mill) = mill {
        return mill.find(Some(name)).map(|_| ());
    }
    let home = open(flags, &place(flags, None)?, HomeOptions::default())?;
    let rows = home.ledger().read(PipelineRow::all).await?;
    if rows.iter().any(|row| row.name == name) {
        return Ok(());
    }
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    Err(Error::halt(format!("this home has no pipeline `{name}`"))
        .because("usage")
        .help(format!("it has: {}", names.join(", "))))
}

fn open(flags: &Flags, place: &Path, options: HomeOptions) -> Result<Arc<Home>> {
    let options = HomeOptions { any_file_system: flags.any_file_system, ..options };
    Home::open(place, options).map(Arc::new)
}
