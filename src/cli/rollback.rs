//! `rollback`: take a published run back.

use super::flags::Flags;
use super::{home, order, out};
use crate::Outcome;
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::{Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run's id, as `runs` lists it
    run: String,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    home::look(flags, mill)?; // a home that is not there is not made by changing it
    let place = home::place(flags, mill)?;
    let done = order::carry_out(flags, &place, Order::Rollback { run: args.run.clone() }).await?;
    let count = |name: &str| out::count(done[name].as_u64().unwrap_or(0), "row");
    let (restored, removed) = (count("restored"), count("removed"));
    out::line(
        flags,
        format!("run {} is taken back: {restored} restored, {removed} removed", args.run),
    );
    let items = match done["replayed"].as_bool() {
        Some(true) => "its items are as they were before: the same replay takes them again",
        _ => "its items are new again for the next run",
    };
    out::line(flags, format!("{items}; its files stay in the archive"));
    out::json(flags, &done)?;
    Ok(Outcome::Done)
}
