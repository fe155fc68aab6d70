//! `parked`: the items that were set aside, each with its reason.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use tidemill_pipeline::ledger::{ParkedFilter, ParkedItem};
use tidemill_pipeline::{Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline; all when left out
    pipeline: Option<String>,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    home::known(flags, mill, args.pipeline.as_deref()).await?;
    let home = home::look(flags, mill)?;
    let filter = ParkedFilter { pipeline: args.pipeline.clone(), ..ParkedFilter::default() };
    let items = home.ledger().read(move |read| ParkedItem::all(read, &filter)).await?;
    if items.is_empty() {
        out::line(flags, "nothing is parked");
    }
    for item in &items {
        let at = out::moment(item.at, home.zone());
        out::result(flags, format!("{at}  {}  {}", item.reason, out::plain(&item.key)));
        out::result(flags, format!("    {}: {}", item.stage, out::plain(&item.message)));
        if let Some(help) = &item.help {
            out::result(flags, format!("    → {}", out::plain(help)));
        }
    }
    out::json(flags, &items)?;
    Ok(Outcome::Done)
}
