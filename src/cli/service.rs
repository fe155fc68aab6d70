//! `service print`: a unit of systemd or a plist of launchd that runs this program's schedules.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use crate::service::{self, Program, Whose};
use clap::Subcommand;
use std::path::Path;
use tidemill_pipeline::{Error, Mill, Result, ResultExt as _};

/// What the program reads of the environment and a service would not have.
const VARIABLES: [&str; 4] = ["OLLAMA_HOST", "TIDEMILL_LOG", "TIDEMILL_LOG_FORMAT", "TZ"];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print it; how to install it stands at its head
    #[command(
        after_help = "What is set here of --home, --archive, OLLAMA_HOST, TIDEMILL_LOG, TIDEMILL_LOG_FORMAT\n\
                            and TZ is in it.\n\n\
                            Example:  tidemill service print --systemd > ~/.config/systemd/user/tidemill.service"
    )]
    Print(Print),
}

#[derive(Debug, clap::Args)]
struct Print {
    /// A unit of systemd, for the user who asks
    #[arg(long, required_unless_present = "launchd", conflicts_with = "launchd")]
    systemd: bool,
    /// A property list of launchd (macOS)
    #[arg(long)]
    launchd: bool,
    /// For the machine's systemd instead, run as the owner of the home
    #[arg(long, requires = "systemd", conflicts_with = "launchd")]
    system: bool,
    /// What the service is called [default: as the program]
    #[arg(long, value_parser = name)]
    name: Option<String>,
}

/// A name that is one in file names, commands and comments of XML alike.
fn name(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("--")
        && !text.ends_with('-');
    fits.then(|| text.to_string()).ok_or("use letters, digits, `_`, `.` and single hyphens")
}

pub(super) fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let Verb::Print(print) = &args.verb;
    let program = program(flags, print, mill)?;
    let text = if print.launchd {
        service::plist(&program)
    } else {
        let whose = match print.system {
            true => Whose::System(service::owner(Path::new(&program.home))?),
            false => Whose::User,
        };
        service::unit(&program, &whose)?
    };
    if program.is_build() {
        out::wrong("warning: this program lies where cargo built it; install it first");
    }
    out::result(flags, text.trim_end());
    out::json(flags, &serde_json::json!({ "name": program.name, "text": text }))?;
    Ok(Outcome::Done)
}

fn program(flags: &Flags, print: &Print, mill: Option<&Mill>) -> Result<Program> {
    let path = std::env::current_exe().doing("asking where this program lies").or_halt()?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let called = match &print.name {
        Some(name) => name.clone(),
        None => name(stem).map_err(|_| {
            Error::halt(format!("no service can be called `{stem}`"))
                .because("usage")
                .help("give it a name: --name news")
        })?,
    };
    let absolute = |path: &Path| service::text(&std::path::absolute(path)?);
    let home = absolute(&home::place(flags, mill)?)?;
    let archive = flags.archive.as_deref().map(absolute).transpose()?;
    let mut arguments = vec!["serve".into(), "--home".into(), home.clone()];
    for part in archive.iter() {
        arguments.extend(["--archive".to_string(), part.clone()]);
    }
    if flags.any_file_system {
        arguments.push("--any-file-system".into());
    }
    Ok(Program {
        name: called,
        path: service::text(&path)?,
        arguments,
        folder: service::text(&std::env::current_dir()?)?,
        home,
        archive,
        environment: environment()?,
    })
}

fn environment() -> Result<Vec<(&'static str, String)>> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let found = VARIABLES.into_iter().filter_map(|name| Some((name, set(name)?)));
    found.map(|(name, value)| Ok((name, service::text(Path::new(&value))?))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_fit_files_commands_and_comments() {
        for good in ["tidemill", "my-news_2.x"] {
            assert!(super::name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "a--b", "-a", "a-", "é", ".a", "a@b"] {
            assert!(super::name(bad).is_err(), "{bad}");
        }
    }
}
