//! `prune`: the retention policy, shown with reasons or carried out.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use std::sync::Arc;
use tidemill_pipeline::ledger::PipelineRow;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::{PruneReport, apply, decide, open_gate};
use tidemill_pipeline::tier::{self, Presence};
use tidemill_pipeline::{Archive, Error, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only show what would go and why; touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Carry out a plan that takes away more than ten runs of a dataset, and more than half of them
    #[arg(long)]
    yes: bool,
    /// The pipeline; all when left out
    pipeline: Option<String>,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    home::known(flags, mill, args.pipeline.as_deref()).await?;
    let home = if args.dry_run {
        home::look(flags, mill)?
    } else {
        home::look(flags, mill)?; // a home that is not there is not made by pruning it
        home::own(flags, &home::place(flags, mill)?)?
    };
    let mut whole = PruneReport::default();
    for (pipeline, archive) in archives(&home, args, mill).await? {
        let report = one(flags, args, &home, &pipeline, &archive).await?;
        whole.kept += report.kept;
        whole.decisions.extend(report.decisions);
        whole.held_back = whole.held_back.or(report.held_back);
    }
    out::json(flags, &whole)?;
    match whole.held_back {
        Some(why) => {
            out::remark(flags, format!("held back: {why}"));
            Ok(Outcome::Failed)
        }
        None => Ok(Outcome::Done),
    }
}

/// The pipelines with an archive: as the code says, else as the last runs said.
async fn archives(
    home: &Arc<Home>,
    args: &Args,
    mill: Option<&Mill>,
) -> Result<Vec<(String, Archive)>> {
    let rows = home.ledger().read(PipelineRow::all).await?;
    let wanted = |name: &str| args.pipeline.as_ref().is_none_or(|wanted| wanted == name);
    let mut found = Vec::new();
    for row in rows.into_iter().filter(|row| wanted(&row.name)) {
        let code = mill.and_then(|mill| mill.find(Some(&row.name)).ok());
        let archive = match (code.and_then(|planned| planned.job.archive()), row.archive) {
            (Some(archive), _) => archive.clone(),
            (None, Some(text)) => serde_json::from_str(&text)?,
            (None, None) => continue,
        };
        found.push((row.name, archive));
    }
    Ok(found)
}

async fn one(
    flags: &Flags,
    args: &Args,
    home: &Arc<Home>,
    pipeline: &str,
    archive: &Archive,
) -> Result<PruneReport> {
    out::line(flags, format!("{pipeline}: {archive}"));
    let place = flags.archive.as_deref().map(std::path::absolute).transpose()?;
    let at = place.as_deref().unwrap_or(archive.place());
    let id = match tier::look(&home.root().join(at), None) {
        Presence::Here(tier) => Some(tier.id),
        _ => None, // it is away: the plan is made from what the ledger knows of all archives
    };
    let lines = decide(home, pipeline, archive, id.as_deref()).await?;
    for line in &lines {
        let what = if line.keep { "keep " } else { "prune" };
        let reasons = line.reasons.join(", ");
        out::result(
            flags,
            format!(
                "  {what}  {}/{} dt={} {}  {reasons}",
                line.dataset,
                line.run,
                line.dt,
                out::bytes(line.bytes)
            ),
        );
    }
    if args.dry_run {
        let kept = lines.iter().filter(|line| line.keep).count() as u64;
        let going: u64 = lines.iter().filter(|line| !line.keep).map(|line| line.bytes).sum();
        out::line(
            flags,
            format!("  {kept} kept, {} would be freed; nothing was touched", out::bytes(going)),
        );
        return Ok(PruneReport { kept, decisions: lines, held_back: None });
    }
    let gate = open_gate(home, archive, place.as_deref()).await?;
    let Some(tier) = gate.tier else {
        let why = gate.away.unwrap_or_default();
        return Err(Error::wait(format!("the archive {} is away: {why}", gate.root.display()))
            .because("archive_away")
            .help("mount it and prune again; nothing was touched"));
    };
    let report = apply(home, &tier, lines, args.yes).await?;
    let gone = out::count(report.decisions.len() as u64, "run");
    out::line(flags, format!("  {} kept, {gone} let go", report.kept));
    Ok(report)
}
