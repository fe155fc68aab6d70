//! `demo`: the whole job on a small bundled site, without network or configuration.

use super::flags::{Flags, RunFlags};
use super::{drive, home, out, run as run_verb};
use crate::Outcome;
use crate::digest::{DigestOptions, job};
use std::path::Path;
use std::time::Duration;
use tidemill_pipeline::mill::Planned;
use tidemill_pipeline::tier::atomic;
use tidemill_pipeline::{Error, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Words of a summary
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=2000))]
    words: u32,
}

pub(super) async fn run(flags: &Flags, args: &Args) -> Result<Outcome> {
    let place = match &flags.home {
        Some(home) => home.clone(),
        None => home::default()?.join("demo"),
    };
    check_thrown_away(&place)?;
    // Nothing is left outside of the home, also where an archive is set for other work.
    let flags = &Flags { archive: None, ..flags.clone() };
    let home = home::own(flags, &place)?;
    let options = DigestOptions {
        seeds: vec!["demo:".into()], // the bundled site, served on loopback
        words: args.words,
        delay: Duration::ZERO, // it is our own site
        ..DigestOptions::default()
    };
    let planned = Planned::by_hand(job(&options));
    mark(&place)?;
    run_verb::where_am_i(flags, &home, &planned.job, None).await?;
    let how = RunFlags::default();
    let (outcome, report) = drive::drive(flags, &home, &planned, None, &how).await?;
    let (root, program) = (home.root().display(), out::program());
    for line in [
        String::new(),
        "Look at it:".into(),
        format!("  {program} read --home {root}"),
        format!("  sqlite3 {root}/tidemill.db 'SELECT title, method FROM digests'"),
        format!("  ls -R {}", report.offload.archive.as_deref().unwrap_or("archive")),
        format!("  {program} verify --home {root}"),
        format!("Run it again: nothing changed, so no model is asked. Remove it: rm -r {root}"),
    ] {
        out::line(flags, line);
    }
    out::json(flags, &report)?;
    Ok(outcome)
}

/// In this file a home says that it is a demo's and may be thrown away.
const MARK: &str = "this-is-a-demo";

/// Refuses a home that is used for other work: the demo is meant to be deleted.
fn check_thrown_away(place: &Path) -> Result<()> {
    if !place.join("tidemill.db").exists() || place.join(MARK).exists() {
        return Ok(());
    }
    Err(Error::halt(format!("the home {} is used for other work", place.display()))
        .because("home_in_use")
        .help("give the demo a home of its own: --home DIR"))
}

fn mark(place: &Path) -> Result<()> {
    let mark = place.join(MARK);
    if mark.exists() { Ok(()) } else { atomic::write_new(&mark, b"made by `tidemill demo`\n") }
}
