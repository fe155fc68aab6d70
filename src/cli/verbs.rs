//! The verbs, as clap reads them.

use super::flags::Flags;
use super::{
    archive, dataset, demo, digest, doctor, extract, new, notify, parked, plan, prune, read,
    replay, rollback, run, runs, schedule, serve, service, status, trial, verify,
};
use clap::{Parser, Subcommand};

/// The command line of a program with pipelines of its own.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "A mill: its pipelines scrape, summarise with local models, publish and offload",
    after_help = "Exit codes: 0 done · 1 done with parked items · 2 refused or failed · 75 the home is in use",
    arg_required_else_help = true
)]
pub(super) struct MillCli {
    #[command(flatten)]
    pub(super) flags: Flags,
    #[command(subcommand)]
    pub(super) verb: MillVerb,
}

/// The command line of the stock binary.
#[derive(Debug, Parser)]
#[command(
    name = "tidemill",
    version,
    about = "Scrape, summarise with local models, publish to SQLite, offload to the NAS; nothing gets lost",
    after_help = "Begin with:  tidemill demo\n\
                  Exit codes:  0 done · 1 done with parked items · 2 refused or failed · 75 the home is in use",
    arg_required_else_help = true
)]
pub(super) struct StockCli {
    #[command(flatten)]
    pub(super) flags: Flags,
    #[command(subcommand)]
    pub(super) verb: StockVerb,
}

/// What every program of tidemill can do with a home.
#[derive(Debug, Subcommand)]
pub(super) enum MillVerb {
    /// Run the jobs by their schedules, and take orders, until stopped
    #[command(after_help = "Example:  tidemill serve --home ~/mill")]
    Serve(serve::Args),
    /// Show what runs by itself and when; pause and resume it; see what was decided and why
    #[command(after_help = "Example:  tidemill schedule log news")]
    Schedule(schedule::Args),
    /// Run a pipeline now, or go on with its unfinished run
    #[command(after_help = "Example:  tidemill run news --archive /mnt/nas/mill")]
    Run(run::Args),
    /// Let archived items go through their pipeline once more: with a better model or prompt
    #[command(
        after_help = "Pages are read from the archive, never fetched. It makes room for every other run, goes on\n\
                            after a kill, and is published at once; `rollback` takes it back.\n\n\
                            Example:  tidemill replay news --from raw_scrapes --only stale --dry-run"
    )]
    Replay(replay::Args),
    /// Take one item through a pipeline and show what each step makes of it; nothing is published
    #[command(
        after_help = "A file is served on loopback for the moment, so that it has an address.\n\
                            What a model answers is remembered: the next run does not ask it again.\n\n\
                            Example:  tidemill try https://example.org/page"
    )]
    Try(trial::Args),
    /// Show the steps of the pipelines, how each keeps what it did, and what is stale
    #[command(after_help = "Example:  tidemill plan news --dot | dot -Tsvg > news.svg")]
    Plan(plan::Args),
    /// Show the run at work, the last runs, what waits, what it cost and what it takes up
    #[command(after_help = "Example:  tidemill status --json")]
    Status(status::Args),
    /// List, show, retry or drop the items that were set aside
    #[command(after_help = "Example:  tidemill parked retry --where reason=http_503")]
    Parked(parked::Args),
    /// List runs, show one, or read its log
    #[command(after_help = "Example:  tidemill runs show 20261120T020000Z-7f3a9c")]
    Runs(runs::Args),
    /// Take a published run back: its tables hold again what they held before
    #[command(
        after_help = "Its files stay in the archive. The last three runs of a pipeline can be taken back.\n\n\
                            Example:  tidemill rollback 20261120T020000Z-7f3a9c"
    )]
    Rollback(rollback::Args),
    /// Apply the retention policy to the archive
    #[command(after_help = "Example:  tidemill prune --dry-run")]
    Prune(prune::Args),
    /// Look into the archive: its datasets, their rows, SQL over them, exports
    #[command(after_help = "Example:  tidemill dataset ls")]
    Dataset(dataset::Args),
    /// Read every file of the archive again and compare its hashes
    #[command(after_help = "Example:  tidemill verify --archive /mnt/nas/mill")]
    Verify(verify::Args),
    /// Read the latest summaries here
    #[command(after_help = "Example:  tidemill read --since 1d")]
    Read(read::Args),
    /// Look whether everything is in order, and say what to mend
    #[command(after_help = "Example:  tidemill doctor")]
    Doctor(doctor::Args),
    /// Say where notices go: to a phone, a webhook, a check that expects a sign of life
    #[command(after_help = "Example:  tidemill notify test")]
    Notify(notify::Args),
    /// Print what a service manager wants to run this program: a unit of systemd, a plist of launchd
    #[command(after_help = "Example:  tidemill service print --systemd")]
    Service(service::Args),
}

/// What the stock binary can do.
#[derive(Debug, Subcommand)]
pub(super) enum StockVerb {
    /// Run the whole job on a small bundled site, without network or configuration
    #[command(after_help = "Example:  tidemill demo")]
    Demo(demo::Args),
    /// Scrape, summarise, store and archive your own feeds, sitemaps or pages
    #[command(
        after_help = "Stopped in the middle? Run the same command again: it goes on where it was.\n\n\
                            Example:  tidemill digest https://lwn.net/headlines/rss --words 60"
    )]
    Digest(digest::Args),
    /// Make a new project with a pipeline of your own
    #[command(after_help = "Example:  tidemill new my-news && cd my-news && cargo run -- run")]
    New(new::Args),
    /// Show what the extractor sees in a page
    #[command(after_help = "Example:  tidemill extract page.html --url https://example.org/page")]
    Extract(extract::Args),
    /// Make a folder an archive
    #[command(subcommand)]
    Archive(archive::Verb),
    #[command(flatten)]
    Mill(MillVerb),
}
