//! `try`: one item through a pipeline, with what each step makes of it.

use super::flags::Flags;
use super::progress::Bar;
use super::{drive, home, out};
use crate::Outcome;
use crate::digest::{self, DigestOptions};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::run::{TrialReport, TrialStep};
use tidemill_pipeline::{Error, Job, Mill, Result};
use tidemill_stages::demo::OneFile;

/// Lines of a terminal are taken to be so wide.
const WIDTH: usize = 80;

#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
pub(super) struct Args {
    /// The pipeline; may be left out when there is only one
    pipeline: Option<String>,
    /// An address, a file, or an item in JSON
    #[arg(value_name = "URL|FILE|JSON")]
    what: String,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let what = args.what.as_str();
    let path = Path::new(what);
    let served = if path.is_file() { Some(OneFile::serve(path).await?) } else { None };
    let job = job(mill, args.pipeline.as_deref(), served.is_some())?;
    let home = home::own(flags, &home::place(flags, mill)?)?;
    out::line(flags, format!("home {} · nothing is published or archived", home.root().display()));

    let bar = Arc::new(Bar::new(flags, &home));
    let (options, signals) = drive::options(flags, &bar)?;
    let what = served.as_ref().map_or(what, |served| served.url().as_str());
    let result = home.try_one(&job, what, options).await;
    bar.end();
    signals.abort();
    let report = result?;
    print(flags, &job, &report);
    out::json(flags, &report)?;
    Ok(if report.ended.is_some() { Outcome::Parked } else { Outcome::Done })
}

/// The pipeline of the code, or the ready-made one.
fn job(mill: Option<&Mill>, pipeline: Option<&str>, is_ours: bool) -> Result<Job> {
    if let Some(mill) = mill {
        return Ok(mill.find(pipeline)?.job.clone());
    }
    if let Some(other) = pipeline.filter(|name| *name != digest::NAME) {
        return Err(Error::halt(format!("there is no pipeline `{other}`")).because("usage").help(
            format!("this program has one, `{}`; a program of yours has its own", digest::NAME),
        ));
    }
    let mut options = DigestOptions::default();
    if is_ours {
        options.delay = Duration::ZERO; // our own server needs no mercy
    }
    Ok(digest::job(&options))
}

fn print(flags: &Flags, job: &Job, report: &TrialReport) {
    let line = |text: String| out::result(flags, text);
    line(format!("{} · {}", report.pipeline, out::plain(&report.what)));
    let types = job.nodes();
    for (n, step) in report.steps.iter().enumerate() {
        let yields = types.iter().find(|node| node.name == step.step && node.verb == step.verb);
        let yields = yields.map_or("", |node| node.yields.as_str());
        let millis = out::span(step.millis);
        line(format!("{:>2}  {:<8}{:<20} {millis:>10}  {yields}", n + 1, step.verb, step.step));
        if same_as_before(&report.steps, n) {
            continue; // a sink lets the item go on as it came
        }
        outline(&step.output).into_iter().for_each(|text| line(format!("      {text}")));
    }
    match (&report.ended, report.steps.last()) {
        (Some((stage, why)), _) => line(format!("it ended in {stage}: {}", out::plain(why))),
        (None, Some(last)) if types.last().is_some_and(|node| node.name != last.step) => {
            line(format!("it went no further than {}: the next step left it out", last.step));
        }
        _ => {}
    }
    let (made, remembered) = (report.calls_made, report.calls_remembered);
    if made + remembered > 0 {
        let made = out::count(made, "call");
        line(format!("models  {made} made · {remembered} answered from memory"));
    }
}

fn same_as_before(steps: &[TrialStep], n: usize) -> bool {
    n > 0 && steps.get(n - 1).zip(steps.get(n)).is_some_and(|(a, b)| a.output == b.output)
}

/// A value in a few lines: one per field, long text shortened.
fn outline(value: &Value) -> Vec<String> {
    const LINES: usize = 24;
    let width = WIDTH - 8;
    let Some(fields) = value.as_object() else { return vec![brief(value, width)] };
    let name = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0).min(16);
    let mut lines: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(field, value)| format!("{field:<name$}  {}", brief(value, width - name - 2)))
        .collect();
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("… and {more} more; --json shows all"));
    }
    lines
}

/// A value on one line; of what is longer, the beginning and how long it is.
fn brief(value: &Value, width: usize) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let long = text.chars().count();
    let line = out::short(&text, width);
    if long <= width {
        return line;
    }
    let size = format!(" ({long} characters)");
    format!("{}{size}", out::short(&text, width.saturating_sub(size.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_text_is_shortened_to_the_line_and_says_how_long_it_is() {
        let text = "word ".repeat(1000);
        let lines = outline(&json!({ "title": "Ebb\u{1b}[2J", "text": text, "none": null }));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH - 8), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with("… (5000 characters)")), "{lines:?}");
        assert!(lines.iter().any(|line| line == "title  Ebb [2J"), "{lines:?}");
    }
}
