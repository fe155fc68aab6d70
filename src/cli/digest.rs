//! `digest`: the ready-made pipeline on the user's own feeds, sitemaps or pages.

use super::flags::{Flags, RunFlags};
use super::{drive, home, out, run as run_verb};
use crate::Outcome;
use crate::digest::{DigestOptions, job};
use std::path::PathBuf;
use std::time::Duration;
use tidemill_pipeline::{Error, Result};
use tidemill_stages::feed::listed;

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
    #[command(flatten)]
    how: RunFlags,
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
    let mut seeds = args.urls.clone();
    if let Some(file) = &args.from {
        seeds.extend(listed(file)?);
    }
    if seeds.is_empty() {
        return Err(Error::halt("no address was given").because("usage").help(
            "name feeds, sitemaps or pages, for instance: tidemill digest https://lwn.net/headlines/rss",
        ));
    }
    let options = DigestOptions {
        seeds,
        depth: args.depth,
        pages: args.pages,
        limit: args.limit,
        model: args.model.clone(),
        words: args.words,
        delay: args.delay,
    };
    let job = job(&options);
    let home = home::own(flags, &home::place(flags, None)?)?;
    run_verb::where_am_i(flags, &home, &job).await?;
    let (outcome, report) = drive::drive(flags, &home, &job, &args.how).await?;
    if report.items.done > 0 {
        out::line(
            flags,
            format!("read    {} read --home {}", out::program(), home.root().display()),
        );
    }
    out::json(flags, &report)?;
    Ok(outcome)
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
