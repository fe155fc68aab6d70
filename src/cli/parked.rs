//! `parked`: the items that were set aside: listed, shown, tried again, or dropped.

use super::flags::Flags;
use super::{home, order, out};
use crate::Outcome;
use clap::Subcommand;
use std::sync::Arc;
use tidemill_pipeline::ledger::{ParkedFilter, ParkedItem};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::{Error, Mill, Result};

/// More items than these are only retried or dropped with a yes.
const MANY: usize = 10;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List them, newest first
    #[command(after_help = "Example:  tidemill parked ls news --where stage=fetch")]
    Ls(Which),
    /// Show one whole: the item, what failed, what to do
    #[command(after_help = "Example:  tidemill parked show https://example.org/page")]
    Show {
        /// The item's key
        key: String,
    },
    /// Take items off the list, to be tried again by the next run
    #[command(after_help = "Example:  tidemill parked retry --where reason=http_503")]
    Retry(Change),
    /// Take items off the list for good; one comes again only when its content changes
    #[command(after_help = "Example:  tidemill parked drop --where key=https://example.org/page")]
    Drop(Change),
}

/// Which items.
#[derive(Debug, Default, Clone, clap::Args)]
struct Which {
    /// The pipeline; all when left out
    pipeline: Option<String>,
    /// Only those with this reason, stage, run or key; all of them when given more than once
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = condition)]
    conditions: Vec<(Name, String)>,
}

#[derive(Debug, clap::Args)]
struct Change {
    #[command(flatten)]
    which: Which,
    /// All of them
    #[arg(long, conflicts_with = "conditions")]
    all: bool,
    /// Do it though more than ten items are meant
    #[arg(long)]
    yes: bool,
}

/// What a condition asks for.
#[derive(Debug, Clone, Copy)]
enum Name {
    Reason,
    Stage,
    Run,
    Key,
}

/// Reads a condition as `reason=http_503`.
fn condition(text: &str) -> Result<(Name, String), String> {
    let known = "write it as reason=…, stage=…, run=… or key=…";
    let (name, value) = text.split_once('=').ok_or(known)?;
    let name = match name {
        "reason" => Name::Reason,
        "stage" => Name::Stage,
        "run" => Name::Run,
        "key" => Name::Key,
        _ => return Err(known.into()),
    };
    Ok((name, value.into()))
}

impl Which {
    fn filter(&self) -> Result<ParkedFilter> {
        let mut filter =
            ParkedFilter { pipeline: self.pipeline.clone(), ..ParkedFilter::default() };
        for (name, value) in &self.conditions {
            let slot = match name {
                Name::Reason => &mut filter.reason,
                Name::Stage => &mut filter.stage,
                Name::Run => &mut filter.run,
                Name::Key => &mut filter.key,
            };
            if let Some(other) = slot.replace(value.clone()) {
                return Err(Error::halt(format!("nothing is both {other} and {value}"))
                    .because("usage")
                    .help("give each of reason, stage, run and key once"));
            }
        }
        Ok(filter)
    }
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    match &args.verb {
        None => list(flags, &args.which, mill).await,
        Some(Verb::Ls(which)) => list(flags, which, mill).await,
        Some(Verb::Show { key }) => show(flags, key, mill).await,
        Some(Verb::Retry(change)) => act(flags, change, mill, RETRY).await,
        Some(Verb::Drop(change)) => act(flags, change, mill, DROP).await,
    }
}

async fn found(home: &Arc<Home>, filter: ParkedFilter) -> Result<Vec<ParkedItem>> {
    home.ledger().read(move |read| ParkedItem::all(read, &filter)).await
}

async fn list(flags: &Flags, which: &Which, mill: Option<&Mill>) -> Result<Outcome> {
    home::known(flags, mill, which.pipeline.as_deref()).await?;
    let home = home::look(flags, mill)?;
    let items = found(&home, which.filter()?).await?;
    if items.is_empty() {
        out::line(flags, nothing(which));
    }
    for item in &items {
        let at = out::moment(item.at, home.zone());
        out::result(flags, format!("{at}  {}  {}", item.reason, out::plain(&item.key)));
        let message = format!("{}: {}", item.stage, item.message);
        out::result(flags, out::wrapped(&message, 75, "    "));
        if let Some(help) = &item.help {
            out::result(flags, out::wrapped(&format!("→ {help}"), 75, "    "));
        }
    }
    if !items.is_empty() {
        out::line(flags, format!("{} parked", out::count(items.len() as u64, "item")));
    }
    out::json(flags, &items)?;
    Ok(Outcome::Done)
}

fn nothing(which: &Which) -> &'static str {
    if which.conditions.is_empty() { "nothing is parked" } else { "nothing that is parked matches" }
}

async fn show(flags: &Flags, key: &str, mill: Option<&Mill>) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    let wanted = ParkedFilter { key: Some(key.into()), ..ParkedFilter::default() };
    let items = found(&home, wanted).await?;
    if items.is_empty() {
        let all = found(&home, ParkedFilter::default()).await?;
        return Err(unknown(key, &all));
    }
    for item in &items {
        let at = out::moment(item.at, home.zone());
        let lines = [
            ("key", item.key.as_str()),
            ("run", &format!("{} of {}, {at}", item.run, item.pipeline)),
            ("stage", &item.stage),
            ("reason", &item.reason),
            ("message", &item.message),
            ("help", item.help.as_deref().unwrap_or("none")),
        ];
        lines.into_iter().for_each(|(name, text)| out::result(flags, out::named(name, text)));
        match &item.item {
            Some(json) => {
                out::result(flags, format!("item    {}", out::plain(&format!("{json:#}"))))
            }
            None => out::result(flags, "item    none: the source could not read it"),
        }
    }
    out::json(flags, &items)?;
    Ok(Outcome::Done)
}

fn unknown(key: &str, all: &[ParkedItem]) -> Error {
    let like: Vec<_> = all
        .iter()
        .filter(|item| item.key.contains(key))
        .take(3)
        .map(|item| item.key.as_str())
        .collect();
    let help = match like.as_slice() {
        [] => "`parked` lists the keys".to_string(),
        like => format!("parked are: {}", like.join(", ")),
    };
    Error::halt(format!("no parked item has the key `{key}`")).because("usage").help(help)
}

/// Something that is done with parked items.
struct Act {
    order: fn(ParkedFilter) -> Order,
    name: &'static str,
    done: &'static str,
}

const RETRY: Act = Act {
    order: Order::RetryParked,
    name: "retry",
    done: "taken off the list; the next run tries them first, or when their source yields them",
};

const DROP: Act = Act {
    order: Order::DropParked,
    name: "drop",
    done: "taken off the list for good; what fails for the same reason again is not listed",
};

async fn act(flags: &Flags, change: &Change, mill: Option<&Mill>, act: Act) -> Result<Outcome> {
    if change.which.conditions.is_empty() && !change.all {
        return Err(Error::halt(format!("{} which items?", act.name)).because("usage").help(
            "say which: --where reason=… (or stage, run, key), or --all; `parked` lists them",
        ));
    }
    home::known(flags, mill, change.which.pipeline.as_deref()).await?;
    let (home, filter) = (home::look(flags, mill)?, change.which.filter()?);
    let items = found(&home, filter.clone()).await?;
    if items.is_empty() && !change.all {
        return Err(Error::halt(nothing(&change.which))
            .because("usage")
            .help("`parked` lists what is there"));
    }
    if items.len() > MANY && !change.yes {
        name_them(flags, items.iter().map(|item| item.key.as_str()));
        return Err(Error::halt(format!("that are {} items; nothing was done", items.len()))
            .because("held_back")
            .help(format!("say that you mean it: parked {} … --yes", act.name)));
    }
    let place = home::place(flags, mill)?;
    drop(home);
    let answer = order::carry_out(flags, &place, (act.order)(filter)).await?;
    let keys: Vec<&str> =
        answer["keys"].as_array().into_iter().flatten().filter_map(|key| key.as_str()).collect();
    name_them(flags, keys.iter().copied());
    out::line(flags, format!("{} {}", out::count(keys.len() as u64, "item"), act.done));
    out::json(flags, &answer)?;
    Ok(Outcome::Done)
}

fn name_them<'a>(flags: &Flags, keys: impl ExactSizeIterator<Item = &'a str>) {
    const SHOWN: usize = 20;
    let more = keys.len().saturating_sub(SHOWN);
    for key in keys.take(SHOWN) {
        out::line(flags, format!("  {}", out::plain(key)));
    }
    if more > 0 {
        out::line(flags, format!("  … and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_others_refused() {
        assert!(matches!(condition("key=a=b"), Ok((Name::Key, value)) if value == "a=b"));
        assert!(condition("color=red").is_err());
        assert!(condition("reason").is_err());
        let twice = vec![condition("stage=a").unwrap(), condition("stage=b").unwrap()];
        assert!(Which { pipeline: None, conditions: twice }.filter().is_err());
    }
}
