//! Logs: on stderr for who looks on or collects them, and in a file of the home for each run.

use super::flags::{Flags, LogFormat};
use super::log_line;
use super::run_log::{RunLogs, is_run};
use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;
use tracing::span::Record;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{DefaultFields, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The target of lines that the run's progress says: they are shown already.
pub(super) const SHOWN: &str = "tidemill::run";

/// The target of what is said to a person, where stderr is for log collectors.
pub(super) const SAID: &str = "tidemill::said";

/// How a run ended: its report, or its error, is shown too.
const ENDED: &str = "tidemill_pipeline::run::log";

/// Our crates. At *info* they say neither page text nor a secret.
const OURS: [&str; 3] = ["tidemill", "tidemill_pipeline", "tidemill_stages"];

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Sets up both. `TIDEMILL_LOG` overrules `-v` and `-q` for stderr; a run's file gets what our
/// crates say at *info*.
pub(super) fn start(flags: &Flags) {
    let format = *FORMAT.get_or_init(|| flags.log_format);
    let shown = match format {
        LogFormat::Text => text(flags).boxed(),
        LogFormat::Json => json(flags).boxed(),
    };
    let kept = RunLogs::default()
        .with_filter(Targets::new().with_targets(OURS.map(|target| (target, LevelFilter::INFO))));
    // Only fails when a program has set up a log of its own before: then that one is used.
    let _ = tracing_subscriber::registry().with(shown).with(kept).try_init();
}

/// Whether stderr has a JSON object per line, and nothing else.
pub(super) fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// Lines for people, with the run that they belong to.
fn text<S: Subscriber + for<'a> LookupSpan<'a>>(flags: &Flags) -> impl Layer<S> {
    let level = match (flags.quiet, flags.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "info,tidemill_pipeline=info,tidemill_stages=info",
        _ => "info,tidemill=debug,tidemill_pipeline=debug,tidemill_stages=debug",
    };
    let unseen = filter_fn(|metadata| ![SHOWN, ENDED].contains(&metadata.target()));
    tracing_subscriber::fmt::layer()
        .fmt_fields(Fields(DefaultFields::new()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(wanted(level).and(unseen).or(always(is_run)))
}

/// JSON objects for log collectors: nothing else is shown, so that the progress is among them.
fn json<S: Subscriber + for<'a> LookupSpan<'a>>(flags: &Flags) -> impl Layer<S> {
    let level = match (flags.quiet, flags.verbose) {
        (true, _) => "error",
        (_, 0) => "warn,tidemill=info,tidemill_pipeline=info,tidemill_stages=info",
        (_, 1) => "info,tidemill_pipeline=info,tidemill_stages=info",
        _ => "info,tidemill=debug,tidemill_pipeline=debug,tidemill_stages=debug",
    };
    let needed = always(|metadata| is_run(metadata) || metadata.target() == SAID);
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(wanted(level).or(needed))
}

fn wanted(level: &str) -> EnvFilter {
    EnvFilter::try_from_env("TIDEMILL_LOG").unwrap_or_else(|_| EnvFilter::new(level))
}

/// What passes whatever was asked for.
fn always<S>(
    passes: impl Fn(&Metadata<'_>) -> bool + Send + Sync + 'static,
) -> impl tracing_subscriber::layer::Filter<S> + Send + Sync + 'static {
    filter_fn(passes).with_max_level_hint(LevelFilter::INFO)
}

/// Fields as they always look, without the place of the log: a person sees which run it is.
struct Fields(DefaultFields);

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        if log_line::place(fields).is_some() {
            return Ok(());
        }
        if !current.fields.is_empty() {
            current.fields.push(' ');
        }
        self.0.format_fields(current.as_writer(), fields)
    }
}
