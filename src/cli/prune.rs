//! `prune`: the retention policy, shown with reasons or carried out.

use super::flags::Flags;
use super::{home, order, out};
use crate::Outcome;
use std::sync::Arc;
use tidemill_pipeline::ledger::PipelineRow;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::{PruneLine, PruneReport, decide};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::tier::{self, Presence};
use tidemill_pipeline::{Archive, Mill, Result};

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
    let home = home::look(flags, mill)?; // a home that is not there is not made by pruning it
    let policies = archives(&home, args, mill).await?;
    if args.dry_run {
        return dry_run(flags, &home, policies).await;
    }
    drop(home);
    let place = flags.archive.as_deref().map(std::path::absolute).transpose()?;
    let order = Order::Prune { policies, place, yes: args.yes };
    let done = order::carry_out(flags, &home::place(flags, mill)?, order).await?;
    let whole: PruneReport = serde_json::from_value(done)?;
    show(flags, &whole.decisions);
    out::json(flags, &whole)?;
    if let Some(why) = whole.held_back {
        out::remark(flags, format!("held back: {why}"));
        return Ok(Outcome::Failed);
    }
    let gone = whole.decisions.iter().filter(|line| !line.keep).count() as u64;
    out::line(flags, format!("{} kept, {} let go", whole.kept, out::count(gone, "run")));
    Ok(Outcome::Done)
}

async fn dry_run(
    flags: &Flags,
    home: &Arc<Home>,
    policies: Vec<(String, Archive)>,
) -> Result<Outcome> {
    let mut whole = PruneReport::default();
    for (pipeline, archive) in policies {
        out::line(flags, format!("{pipeline}: {archive}"));
        let at = match &flags.archive {
            Some(place) => std::path::absolute(place)?,
            None => home.root().join(archive.place()),
        };
        let id = match tier::look(&at, None) {
            Presence::Here(tier) => Some(tier.id),
            _ => None, // it is away: the plan is made from what the ledger knows of all archives
        };
        let lines = decide(home, &pipeline, &archive, id.as_deref()).await?;
        show(flags, &lines);
        whole.kept += lines.iter().filter(|line| line.keep).count() as u64;
        whole.decisions.extend(lines);
    }
    let going: u64 = whole.decisions.iter().filter(|line| !line.keep).map(|line| line.bytes).sum();
    let freed = out::bytes(going);
    out::line(flags, format!("{} kept, {freed} would be freed; nothing was touched", whole.kept));
    out::json(flags, &whole)?;
    Ok(Outcome::Done)
}

fn show(flags: &Flags, lines: &[PruneLine]) {
    for line in lines {
        let what = if line.keep { "keep " } else { "prune" };
        let (file, dt, reasons) = (&line.run, &line.dt, line.reasons.join(", "));
        let size = out::bytes(line.bytes);
        out::result(
            flags,
            format!(
                "  {what}  {}/{}/{file} dt={dt} {size}  {reasons}",
                line.dataset, line.pipeline
            ),
        );
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
