//! `verify`: every file of the archive is read again and compared with its manifest.

use super::flags::Flags;
use super::{home, log, out};
use crate::Outcome;
use indicatif::ProgressBar;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tidemill_pipeline::ledger::PipelineRow;
use tidemill_pipeline::tier::{self, Presence, VerifyReport};
use tidemill_pipeline::{Archive, Error, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

#[derive(Debug, Serialize)]
struct Verified {
    archive: String,
    sound: bool,
    runs: usize,
    files: usize,
    bytes: u64,
    /// What is wrong, a line each.
    faults: Vec<String>,
}

pub(super) async fn run(flags: &Flags, _args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let roots = roots(flags, mill).await?;
    if roots.is_empty() {
        return Err(Error::halt("no archive is known here")
            .because("no_archive")
            .help("name one with --archive DIR"));
    }
    let mut all = Vec::new();
    for root in roots {
        let shown = flags.clone();
        let verified = tokio::task::spawn_blocking(move || verify(&shown, &root)).await??;
        print(flags, &verified);
        all.push(verified);
    }
    out::json(flags, &all)?;
    Ok(if all.iter().all(|v| v.sound) { Outcome::Done } else { Outcome::Failed })
}

/// The archive that was named, else those of the home's pipelines.
async fn roots(flags: &Flags, mill: Option<&Mill>) -> Result<BTreeSet<PathBuf>> {
    if let Some(archive) = &flags.archive {
        return Ok([archive.clone()].into());
    }
    let home = home::look(flags, mill)?;
    let rows = home.ledger().read(PipelineRow::all).await?;
    let archives = rows.iter().filter_map(|row| row.archive.as_deref());
    archives.map(|text| Ok(serde_json::from_str::<Archive>(text)?.place().to_path_buf())).collect()
}

fn verify(flags: &Flags, root: &Path) -> Result<Verified> {
    let tier = match tier::look(root, None) {
        Presence::Here(tier) => tier,
        Presence::Away { why } | Presence::Foreign { known: why, .. } => {
            return Err(Error::wait(format!("the archive {} is away: {why}", root.display()))
                .because("archive_away")
                .help("mount it and verify again"));
        }
        Presence::NeverInitialised => {
            return Err(Error::halt(format!("{} is no archive", root.display()))
                .because("archive_new")
                .help("name an archive with --archive DIR; if it should be one, its disk may not be mounted"));
        }
    };
    let drawn = std::io::stderr().is_terminal() && !flags.quiet && !log::is_json();
    let bar = if drawn { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let report = tier::verify(&tier, &mut |checked| {
        bar.set_message(out::short(&checked.path, 80));
        bar.tick();
    });
    bar.finish_and_clear();
    Ok(summed(root, &report?))
}

fn summed(root: &Path, report: &VerifyReport) -> Verified {
    let bad = report.bad.iter().map(|bad| format!("{}: {}", bad.path, bad.why));
    let torn = report.torn.iter().map(|t| format!("{}: {}", t.folder.display(), t.why));
    Verified {
        archive: root.display().to_string(),
        sound: report.is_sound(),
        runs: report.runs,
        files: report.files,
        bytes: report.bytes,
        faults: bad.chain(torn).collect(),
    }
}

fn print(flags: &Flags, verified: &Verified) {
    let Verified { archive, runs, files, bytes, .. } = verified;
    let size = out::bytes(*bytes);
    out::result(
        flags,
        format!("archive {archive}: {files} files of {runs} run folders, {size} read again"),
    );
    for fault in &verified.faults {
        out::result(flags, format!("  BAD {}", out::plain(fault)));
    }
    let verdict =
        if verified.sound { "sound: every hash is as it was written" } else { "NOT sound" };
    out::result(flags, verdict);
}
