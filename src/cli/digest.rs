//! `digest`: the ready-made pipeline on the user's own feeds, sitemaps or pages.

use super::flags::{Flags, RunFlags};
use super::when::When;
use super::{drive, home, order, out, run as run_verb};
use crate::Outcome;
use crate::digest::{self, DigestOptions};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_pipeline::clock::{Clock, SystemClock, Timing};
use tidemill_pipeline::ledger::{self, JobRow, PipelineRow, ScheduleRow};
use tidemill_pipeline::mill::Planned;
use tidemill_pipeline::run::never_initialised;
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::tier::{self, Presence};
use tidemill_pipeline::{Error, Result};
use tidemill_stages::feed::check_seed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Feeds, sitemaps or pages; which it is, the content tells
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// A file with one URL per line, or OPML
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Follow links of pages this far, on the same host; 0 means the given pages only
    #[arg(long, default_value_t = 0, value_name = "N")]
    depth: u32,
    /// Take at most this many pages in one run
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pages: u64,
    /// Work on at most this many new or changed pages; the rest waits for the next run
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// The model on Ollama (OLLAMA_HOST, else this machine) [default: the one that is there, else none]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Words of a summary
    #[arg(long, default_value_t = 80, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=2000))]
    words: u32,
    /// The pause between two requests to one host: 500ms, 2s, 1m; robots.txt may want a longer one
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = duration)]
    delay: Duration,
    /// The pipeline's name: folders of the archive and the job that the home remembers have it
    #[arg(long, default_value = digest::NAME, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    how: RunFlags,
    #[command(flatten)]
    when: When,
    /// List the jobs that the home remembers
    #[arg(long, conflicts_with_all = ["urls", "from", "schedule", "forget"])]
    list: bool,
    /// Forget a job that the home remembers
    #[arg(long, value_name = "NAME", conflicts_with_all = ["urls", "from", "schedule"])]
    forget: Option<String>,
}

/// Reads a duration as `500ms`, `2s`, `1m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let n: u64 = number.parse().map_err(|_| "write it as 500ms, 2s or 1m")?;
    match unit {
        "ms" => Ok(Duration::from_millis(n)),
        "s" => Ok(Duration::from_secs(n)),
        "m" => Ok(Duration::from_secs(n.saturating_mul(60))),
        _ => Err("write it as 500ms, 2s or 1m".into()),
    }
}

pub(super) async fn run(flags: &Flags, args: &Args) -> Result<Outcome> {
    if args.list {
        return list(flags).await;
    }
    if let Some(name) = &args.forget {
        return forget(flags, name).await;
    }
    let options = DigestOptions {
        name: args.name.clone(),
        seeds: args.urls.clone(),
        from: args.from.as_deref().map(std::path::absolute).transpose()?,
        depth: args.depth,
        pages: args.pages,
        limit: args.limit,
        model: args.model.clone(),
        words: args.words,
        delay: args.delay,
    };
    let seeds = digest::seeds(&options)?;
    let job = digest::job(&DigestOptions { seeds: seeds.clone(), from: None, ..options.clone() });
    if let Some(timing) = args.when.timing()? {
        if args.how.keep_going || args.how.strict_archive {
            return Err(Error::halt("--keep-going and --strict-archive are for runs by hand")
                .because("usage")
                .help("leave them out; a job that `serve` runs publishes and tells"));
        }
        job.check()?;
        seeds.iter().try_for_each(|seed| check_seed(seed))?;
        return remember(flags, &options, timing).await;
    }
    let planned = Planned::by_hand(job);
    let home = home::own(flags, &home::place(flags, None)?)?;
    run_verb::where_am_i(flags, &home, &planned.job, None).await?;
    // So that `replay` knows the words and the model. No addresses: there may be a key in one.
    let body = serde_json::to_value(DigestOptions { seeds: vec![], from: None, ..options })?;
    let kept =
        JobRow { pipeline: args.name.clone(), kind: digest::KIND.into(), body, archive: None };
    home.ledger().commit(move |tx| kept.keep_by_hand(tx)).await?;
    let (outcome, report) = drive::drive(flags, &home, &planned, None, &args.how).await?;
    if report.items.done > 0 {
        out::line(
            flags,
            format!("read    {} read --home {}", out::program(), home.root().display()),
        );
    }
    out::json(flags, &report)?;
    Ok(outcome)
}

/// Lets the home remember the job; `serve` runs it.
async fn remember(flags: &Flags, options: &DigestOptions, timing: Timing) -> Result<Outcome> {
    check_name(flags, &options.name).await?;
    let place = home::place(flags, None)?;
    let archive = flags.archive.as_deref().map(std::path::absolute).transpose()?;
    if let Some(root) = &archive
        && matches!(tier::look(root, None), Presence::NeverInitialised)
        && !is_known(flags, root).await
    {
        return Err(never_initialised(root));
    }
    let job = JobRow {
        pipeline: options.name.clone(),
        kind: digest::KIND.into(),
        body: serde_json::to_value(options)?,
        archive: archive.map(|root| root.to_string_lossy().into_owned()),
    };
    let next = timing.schedule.next(SystemClock.now(), timing.zone, SystemClock.now());
    let (text, zone) = (timing.schedule.text().to_string(), timing.zone);
    let order = Order::Remember { job: job.clone(), timing };
    let done = order::carry_out(flags, &place, order).await?;
    let how = if done["replaced"] == true { "replaced" } else { "remembered" };
    out::line(flags, format!("home {}", place.display()));
    out::line(flags, format!("{how}: {} · {text} {}", options.name, zone.name()));
    out::line(flags, format!("archive {}", archive_of(job.archive.as_deref())));
    if done["paused"] == true {
        out::line(flags, format!("paused  {} schedule resume {}", out::program(), options.name));
    } else if let Some(firing) = next {
        out::line(flags, format!("next    {}", firing.scheduled_for));
    }
    let (program, home) = (out::program(), place.display());
    out::line(flags, format!("now     {program} run {} --home {home}", options.name));
    out::line(
        flags,
        format!("serve   {program} serve --home {home}   (`service print` makes a service of it)"),
    );
    let next = next.map(|firing| firing.scheduled_for.to_string());
    out::json(
        flags,
        &json!({ "pipeline": options.name, "schedule": text, "zone": zone.name(), "next": next, "replaced": done["replaced"] }),
    )?;
    Ok(Outcome::Done)
}

/// Where the files of a remembered job go.
fn archive_of(archive: Option<&str>) -> &str {
    archive.unwrap_or("in the home (same disk: not a backup); --archive DIR names another")
}

/// Whether the home has used an archive at this place: then it is only away.
async fn is_known(flags: &Flags, root: &Path) -> bool {
    let Ok(home) = home::peek(flags, None) else { return false };
    let root = root.to_string_lossy().into_owned();
    let known = home.ledger().read(move |read| ledger::known_archive(read, &root)).await;
    matches!(known, Ok(Some(_)))
}

/// Refuses the name of a pipeline that is none of ours: its tables and its memory are its own.
async fn check_name(flags: &Flags, name: &str) -> Result<()> {
    let Ok(home) = home::peek(flags, None) else { return Ok(()) }; // a home that is made now
    let wanted = name.to_string();
    let rows = home.ledger().read(PipelineRow::all).await?;
    let alike = |row: &&PipelineRow| row.name.eq_ignore_ascii_case(&wanted) && row.name != wanted;
    if let Some(row) = rows.iter().find(alike) {
        return Err(Error::halt(format!(
            "`{name}` and `{}` are the same folder on some disks",
            row.name
        ))
        .because("bad_name")
        .help("give the job another name with --name"));
    }
    let other = rows.iter().find(|row| row.name == wanted);
    if other.is_none_or(|row| row.tables.is_empty() || row.tables == [digest::TABLE]) {
        return Ok(());
    }
    Err(Error::halt(format!("`{name}` is another pipeline of this home"))
        .because("bad_name")
        .help("give the job another name with --name"))
}

async fn forget(flags: &Flags, name: &str) -> Result<Outcome> {
    home::look(flags, None)?; // a home that is not there is not made by forgetting
    let place = home::place(flags, None)?;
    order::carry_out(flags, &place, Order::Forget { pipeline: name.to_string() }).await?;
    out::line(flags, format!("forgotten: {name}; what it published and archived stays"));
    out::json(flags, &json!({ "forgotten": name }))?;
    Ok(Outcome::Done)
}

async fn list(flags: &Flags) -> Result<Outcome> {
    let home = home::look(flags, None)?;
    let (jobs, rows) =
        home.ledger().read(|read| Ok((JobRow::all(read)?, ScheduleRow::all(read)?))).await?;
    if jobs.is_empty() {
        out::line(flags, "no job is remembered here; --daily 06:00 behind a `digest` makes one");
    }
    for job in &jobs {
        let timing = rows.iter().find(|row| row.pipeline == job.pipeline);
        let timing = timing.map_or(String::new(), |row| {
            format!("{} {}", row.timing.schedule.text(), row.timing.zone.name())
        });
        let archive = archive_of(job.archive.as_deref());
        let seeds = job.body["seeds"].as_array().map_or(0, Vec::len) as u64;
        let from =
            job.body["from"].as_str().map_or(String::new(), |file| format!(" and those in {file}"));
        out::result(
            flags,
            format!("{}: {timing} · {}{from} · archive {archive}", job.pipeline, addresses(seeds)),
        );
    }
    out::json(flags, &jobs)?;
    Ok(Outcome::Done)
}

fn addresses(n: u64) -> String {
    if n == 1 { "1 address".into() } else { format!("{n} addresses") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_others_refused() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("0s").unwrap(), Duration::ZERO);
        for bad in ["", "1", "s", "1h", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
