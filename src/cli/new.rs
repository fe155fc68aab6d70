//! `new`: a cargo project whose `src/main.rs` is the front page.

use super::flags::Flags;
use super::out;
use crate::Outcome;
use std::path::{Path, PathBuf};
use tidemill_pipeline::tier::atomic;
use tidemill_pipeline::{Error, Result, ResultExt};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to make; its name becomes the project's name
    dir: PathBuf,
    /// Depend on tidemill in this folder instead of the registry
    #[arg(long, value_name = "DIR")]
    tidemill: Option<PathBuf>,
}

pub(super) fn run(flags: &Flags, args: &Args) -> Result<Outcome> {
    let name = project_name(&args.dir)?;
    if args.dir.exists() && std::fs::read_dir(&args.dir)?.next().is_some() {
        return Err(Error::halt(format!("{} is there and not empty", args.dir.display()))
            .because("usage")
            .help("choose a folder that is not there yet"));
    }
    let files = [
        ("Cargo.toml", manifest(&name, &dependency(args)?)),
        (".gitignore", include_str!("../new/gitignore.txt").into()),
        ("README.md", include_str!("../new/README.md").replace("{name}", &name)),
        ("seeds.txt", include_str!("../new/seeds.txt").into()),
        ("src/main.rs", include_str!("../new/main.rs").replace("{name}", &name)),
    ];
    std::fs::create_dir_all(args.dir.join("src"))
        .or_halt()
        .doing(format!("cannot make {}", args.dir.display()))?;
    for (path, text) in &files {
        atomic::write_new(&args.dir.join(path), text.as_bytes())?;
    }
    out::line(flags, format!("made {}", args.dir.display()));
    out::line(flags, format!("next:  cd {} && cargo run -- run", args.dir.display()));
    out::json(flags, &serde_json::json!({ "project": args.dir, "name": name }))?;
    Ok(Outcome::Done)
}

fn project_name(dir: &Path) -> Result<String> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits {
        return Ok(name.to_string());
    }
    Err(Error::halt(format!("`{name}` cannot name a project"))
        .because("usage")
        .help("begin with a letter, then letters, digits, `-` or `_`"))
}

/// Where the project takes tidemill from: a folder, or the registry.
fn dependency(args: &Args) -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let beside = args.tidemill.clone().or_else(checkout);
    let Some(folder) = beside else { return Ok(format!("tidemill = \"{version}\"")) };
    let folder =
        folder.canonicalize().or_halt().doing(format!("cannot find {}", folder.display()))?;
    Ok(format!("tidemill = {{ path = {:?} }}", folder.display().to_string()))
}

/// The checkout that this binary was built in, while it is still there: then the project uses it.
fn checkout() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("pipeline/Cargo.toml").is_file().then_some(folder)
}

fn manifest(name: &str, dependency: &str) -> String {
    include_str!("../new/Cargo.toml.txt").replace("{name}", name).replace("{tidemill}", dependency)
}
