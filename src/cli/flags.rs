//! The flags that every verb takes, and those of the verbs that run something.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Under this heading they stand in the help of each verb.
const EVERYWHERE: &str = "Everywhere";

/// The flags that every verb takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Flags {
    /// The mill's home: ledger and scratch, on a local SSD
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "TIDEMILL_HOME", value_name = "DIR")]
    pub(super) home: Option<PathBuf>,
    /// The archive: a folder on the HDD or NAS [default: HOME/archive, or what the code says]
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "TIDEMILL_ARCHIVE", value_name = "DIR")]
    pub(super) archive: Option<PathBuf>,
    /// Print one JSON report on stdout and no progress; logs go to stderr
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(super) json: bool,
    /// Say more: -v what happens, -vv every decision
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, help_heading = EVERYWHERE, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Use a home on a file system that SQLite cannot trust (NFS, SMB, exFAT, FUSE)
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true)]
    pub(super) any_file_system: bool,
    /// How logs look on stderr; as JSON they stand for progress and remarks too
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true, value_enum,
          env = "TIDEMILL_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(super) log_format: LogFormat,
}

/// How logs look on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object per line, for log collectors
    Json,
}

/// The flags of verbs that run a pipeline.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RunFlags {
    /// Exit with 1 when the files could not be brought to the archive
    #[arg(long)]
    pub(super) strict_archive: bool,
    /// Set items aside though the first twenty all fail alike; otherwise the run halts then
    #[arg(long)]
    pub(super) keep_going: bool,
}
