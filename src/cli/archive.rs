//! `archive init`: make a folder an archive, and let this home use it.

use super::flags::Flags;
use super::{order, out};
use crate::Outcome;
use clap::Subcommand;
use std::path::{Path, PathBuf};
use tidemill_pipeline::clock::{Clock, SystemClock};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::tier::{self, Init, Tier};
use tidemill_pipeline::{Result, ResultExt};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a folder an archive: its identity guards against a wrong or unmounted disk
    #[command(after_help = "Example:  tidemill archive init /mnt/nas/mill --label nas")]
    Init {
        /// The folder, on the disk or share that is to hold the archive
        dir: PathBuf,
        /// A name for people
        #[arg(long)]
        label: Option<String>,
    },
}

pub(super) async fn run(flags: &Flags, verb: &Verb) -> Result<Outcome> {
    let Verb::Init { dir, label } = verb;
    let made = tier::init(dir, label.as_deref(), SystemClock.now()).or_halt()?;
    let (tier, how) = match &made {
        Init::Made(tier) => (tier, "is an archive now"),
        Init::Already(tier) => (tier, "is an archive already"),
    };
    out::line(flags, format!("{} {how}: id {}", dir.display(), tier.id));
    accept(flags, tier, dir).await?;
    out::line(flags, format!("use it with: --archive {}", dir.display()));
    out::json(
        flags,
        &serde_json::json!({ "archive": dir, "id": tier.id, "label": tier.label, "made": matches!(made, Init::Made(_)) }),
    )?;
    Ok(Outcome::Done)
}

/// A home that knew another archive at this place takes this one from now on. Only when the home
/// was named (`--home`, `TIDEMILL_HOME`): the default home may have nothing to do with it.
async fn accept(flags: &Flags, tier: &Tier, dir: &Path) -> Result<()> {
    let Some(place) = flags.home.as_deref().filter(|place| place.join("tidemill.db").is_file())
    else {
        return Ok(());
    };
    let order = Order::Accept { place: std::path::absolute(dir)?, tier: tier.clone() };
    order::carry_out(flags, place, order).await?;
    out::line(flags, format!("the home {} accepts it at this place from now on", place.display()));
    Ok(())
}
