//! `notify`: where notices go: add a place, list them, take one out, try them.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use crate::notify::{self, Kind, Secret, Target, Targets};
use clap::Subcommand;
use serde::Serialize;
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::serve::{Notice, NoticeKind, Notify as _};
use tidemill_pipeline::{Error, Mill, Result, ResultExt as _};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a place that notices go to
    #[command(after_help = "KIND is one of\n\
                            \x20 webhook  gets the notice as JSON by POST\n\
                            \x20 ntfy     a topic, as https://ntfy.sh/TOPIC: the topic is a password, choose a long one\n\
                            \x20 ping     a check that expects a sign of life (healthchecks.io and the like):\n\
                            \x20          URL when a run is done, URL/fail when one failed; a test says done\n\n\
                            The address is kept in the home's file secrets/notify, which only you may read.\n\n\
                            Example:  tidemill notify add phone ntfy https://ntfy.sh/f3kQ9xPbt2 --on failed,done")]
    Add(Add),
    /// List them, without their addresses
    #[command(after_help = "Example:  tidemill notify ls")]
    Ls,
    /// Take one out
    #[command(after_help = "Example:  tidemill notify rm phone")]
    Rm {
        /// Its name
        name: String,
    },
    /// Send a test notice, and say what came of it
    #[command(after_help = "Example:  tidemill notify test phone")]
    Test {
        /// The name of the place; all when left out
        name: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// A name for it, to be shown
    name: String,
    /// webhook, ntfy or ping
    kind: Secret,
    /// Its address; `-` reads it from stdin, so that it is not in the shell's history
    url: Secret,
    /// What it is told [default: failed,parked,away,yield; a ping: done,failed]
    #[arg(long, value_name = "KIND,…")]
    on: Option<String>,
    /// Read a token from stdin (behind the address, when that is there too), for topics that want one
    #[arg(long)]
    token_stdin: bool,
}

/// A target as it may be shown.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    kind: &'static str,
    host: String,
    on: Vec<NoticeKind>,
    token: bool,
}

impl From<&Target> for Shown {
    fn from(target: &Target) -> Self {
        Self {
            name: target.name.clone(),
            kind: target.kind.as_str(),
            host: target.host().to_string(),
            on: target.on.clone(),
            token: target.token.is_some(),
        }
    }
}

/// What came of a test.
#[derive(Debug, Serialize)]
struct Tested {
    name: String,
    arrived: bool,
    message: Option<String>,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let home = home::look(flags, mill)?;
    match &args.verb {
        Verb::Add(args) => add(flags, &home, args),
        Verb::Ls => list(flags, &home),
        Verb::Rm { name } => remove(flags, &home, name),
        Verb::Test { name } => test(flags, &home, name.as_deref()).await,
    }
}

fn add(flags: &Flags, home: &Home, args: &Add) -> Result<Outcome> {
    let wrong = |why| {
        Error::halt(format!("not added: {why}"))
            .because("usage")
            .help("notify add NAME webhook|ntfy|ping URL [--on failed,…] [--token-stdin]")
    };
    let url = match args.url.expose().as_str() {
        "-" => stdin_line()?,
        _ => args.url.clone(),
    };
    let token = args.token_stdin.then(stdin_line).transpose()?;
    let kind = Kind::parse(args.kind.expose()).map_err(wrong)?;
    let token = token.as_ref().map(|token| token.expose().as_str());
    let target =
        Target::new(&args.name, kind, url.expose(), args.on.as_deref(), token).map_err(wrong)?;
    notify::add(home.root(), &target)?;
    out::line(flags, format!("added   {}", line(&target)));
    out::line(flags, format!("try it  notify test {}", target.name));
    out::json(flags, &Shown::from(&target))?;
    Ok(Outcome::Done)
}

fn stdin_line() -> Result<Secret> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).doing("reading stdin").or_halt()?;
    Ok(Secret::new(line.trim().to_string()))
}

fn list(flags: &Flags, home: &Home) -> Result<Outcome> {
    let targets = notify::read(home.root())?;
    if targets.is_empty() {
        out::line(flags, "notices go nowhere: `notify add` names a place");
    }
    targets.iter().for_each(|target| out::result(flags, line(target)));
    out::json(flags, &targets.iter().map(Shown::from).collect::<Vec<_>>())?;
    Ok(Outcome::Done)
}

fn line(target: &Target) -> String {
    let token = if target.token.is_some() { ", with a token" } else { "" };
    let (kind, host, on) = (target.kind.as_str(), target.host(), target.on_list());
    format!("{}  {kind} at {host}{token}  on {on}", target.name)
}

fn remove(flags: &Flags, home: &Home, name: &str) -> Result<Outcome> {
    if !notify::remove(home.root(), name)? {
        return Err(unknown(name));
    }
    out::line(flags, format!("{name} is taken out"));
    out::json(flags, &serde_json::json!({ "removed": name }))?;
    Ok(Outcome::Done)
}

fn unknown(name: &str) -> Error {
    Error::halt(format!("there is no target `{name}`"))
        .because("usage")
        .help("`notify ls` lists them")
}

async fn test(flags: &Flags, home: &Home, name: Option<&str>) -> Result<Outcome> {
    let targets = Targets::of(home.root())?;
    let mut names = targets.targets(NoticeKind::Test);
    if let Some(name) = name {
        names.retain(|other| other == name);
        names.first().ok_or_else(|| unknown(name))?;
    }
    if names.is_empty() {
        return Err(Error::halt("notices go nowhere")
            .because("usage")
            .help("name a place first: notify add NAME webhook|ntfy|ping URL"));
    }
    let notice = sample(home);
    let mut tested = Vec::new();
    for name in names {
        let result = targets.send(&name, &notice).await;
        match &result {
            Ok(()) => out::line(flags, format!("{name}: the test was taken")),
            Err(error) => out::wrong(error.to_string()),
        }
        let message = result.err().map(|error| error.message());
        tested.push(Tested { name, arrived: message.is_none(), message });
    }
    out::json(flags, &tested)?;
    let all = tested.iter().all(|tested| tested.arrived);
    Ok(if all { Outcome::Done } else { Outcome::Failed })
}

fn sample(home: &Home) -> Notice {
    Notice {
        kind: NoticeKind::Test,
        pipeline: String::new(),
        run: None,
        text: "If you read this, notices of this mill arrive.".into(),
        help: None,
        items: None,
        mill: home.mill().to_string(),
        at: home.clock().now().timestamp_millis(),
    }
}
