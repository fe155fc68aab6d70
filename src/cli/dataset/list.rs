//! `ls` and `show`: what the archive holds, by its manifests alone.

use super::place::Seen;
use super::{Which, table};
use crate::Outcome;
use crate::cli::flags::Flags;
use crate::cli::out;
use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_pipeline::Result;
use tidemill_pipeline::tier::catalog::Survey;
use tidemill_pipeline::tier::{ArchivedRun, Tier, Wanted, survey_of};

/// What some runs add up to.
#[derive(Debug, Clone, Serialize)]
struct Sum {
    runs: u64,
    first: NaiveDate,
    last: NaiveDate,
    files: u64,
    bytes: u64,
    /// `null` when a manifest does not say it.
    rows: Option<u64>,
}

impl Sum {
    fn of(run: &ArchivedRun) -> Self {
        let files = &run.manifest.files;
        let rows = files.iter().map(|file| file.rows).sum::<Option<u64>>();
        let (bytes, files) = (run.manifest.bytes(), files.len() as u64);
        Self { runs: 1, first: run.dt, last: run.dt, files, bytes, rows }
    }

    fn with(&mut self, other: &Self) {
        self.runs += other.runs;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.files += other.files;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.rows = self.rows.zip(other.rows).map(|(a, b)| a.saturating_add(b));
    }
}

fn summed<K: Ord>(runs: &[ArchivedRun], key: impl Fn(&ArchivedRun) -> K) -> BTreeMap<K, Sum> {
    let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
    for run in runs {
        let sum = Sum::of(run);
        sums.entry(key(run)).and_modify(|known| known.with(&sum)).or_insert(sum);
    }
    sums
}

#[derive(Debug, Serialize)]
struct Listed {
    archive: String,
    dataset: String,
    pipeline: String,
    #[serde(flatten)]
    sum: Sum,
    /// Run folders that no reader trusts.
    untrusted: u64,
}

pub(super) fn ls(flags: &Flags, seen: &Seen) -> Result<Outcome> {
    let mut all = Vec::new();
    for tier in seen.tiers()? {
        let survey = survey_of(&tier, &Wanted::default())?;
        let listed = listed(&tier, &survey);
        out::line(flags, format!("archive {}", tier.root.display()));
        print(flags, &listed);
        distrusted(flags, &survey);
        all.extend(listed);
    }
    out::json(flags, &all)?;
    Ok(Outcome::Done)
}

fn listed(tier: &Tier, survey: &Survey) -> Vec<Listed> {
    let sums = summed(&survey.runs, |run| (run.dataset.clone(), run.pipeline.clone()));
    let listed = sums.into_iter().map(|((dataset, pipeline), sum)| {
        let below = tier.root.join(&dataset).join(&pipeline);
        let untrusted = survey.untrusted.iter().filter(|one| one.folder.starts_with(&below));
        let archive = tier.root.display().to_string();
        Listed { archive, untrusted: untrusted.count() as u64, dataset, pipeline, sum }
    });
    listed.collect()
}

fn print(flags: &Flags, listed: &[Listed]) {
    if listed.is_empty() {
        out::result(flags, "  it holds nothing yet");
        return;
    }
    let row = |one: &Listed| {
        let mut row = vec![json!(one.dataset), json!(one.pipeline)];
        row.extend(cells(&one.sum));
        row
    };
    let rows: Vec<Vec<Json>> = listed.iter().map(row).collect();
    let names = ["dataset", "pipeline", "runs", "first", "last", "files", "size", "rows"];
    let numbers = [false, false, true, false, false, true, true, true];
    table::lines(&names, &numbers, &rows).into_iter().for_each(|line| out::result(flags, line));
}

fn cells(sum: &Sum) -> [Json; 6] {
    let rows = sum.rows.map_or_else(|| json!("-"), |rows| json!(out::thousands(rows)));
    let (first, last) = (sum.first.to_string(), sum.last.to_string());
    let size = out::bytes(sum.bytes);
    [json!(sum.runs), json!(first), json!(last), json!(sum.files), json!(size), rows]
}

/// Folders that look like runs and are none: counted, and told what to do about those that lie.
fn distrusted(flags: &Flags, survey: &Survey) {
    let lying = survey.untrusted.iter().filter(|folder| folder.lies).count() as u64;
    let open = survey.untrusted.len() as u64 - lying;
    if open > 0 {
        let folders = out::count(open, "run folder");
        out::remark(
            flags,
            format!("{folders} without a whole manifest: never committed, not counted"),
        );
    }
    if lying > 0 {
        let folders = out::count(lying, "run folder");
        out::remark(flags, format!("{folders} not to be trusted, not counted: `verify` says why"));
    }
}

#[derive(Debug, Serialize)]
struct Day {
    dt: NaiveDate,
    pipeline: String,
    #[serde(flatten)]
    sum: Sum,
}

pub(super) fn show(flags: &Flags, seen: &Seen, which: &Which) -> Result<Outcome> {
    let tier = seen.tier()?;
    let runs = seen.runs(&tier, which)?;
    let days = summed(&runs, |run| (run.dt, run.pipeline.clone()));
    let days: Vec<Day> =
        days.into_iter().map(|((dt, pipeline), sum)| Day { dt, pipeline, sum }).collect();
    out::line(flags, format!("{} in {}", which.dataset, tier.root.display()));
    if days.is_empty() {
        out::line(flags, "nothing of that range");
    } else {
        let rows: Vec<Vec<Json>> = days.iter().map(row).collect();
        let names = ["date", "pipeline", "runs", "files", "size", "rows"];
        let numbers = [false, false, true, true, true, true];
        table::lines(&names, &numbers, &rows).into_iter().for_each(|line| out::result(flags, line));
    }
    if !runs.iter().any(tidemill_stages::dataset::is_table) && !runs.is_empty() {
        out::line(flags, format!("its files are no tables: {}", endings(&runs, &tier.root)));
    }
    out::json(flags, &days)?;
    Ok(Outcome::Done)
}

fn row(day: &Day) -> Vec<Json> {
    let [runs, _, _, files, size, rows] = cells(&day.sum);
    vec![json!(day.dt.to_string()), json!(day.pipeline), runs, files, size, rows]
}

/// The largest file of the newest run, as an example of what they are and where they lie.
pub(super) fn endings(runs: &[ArchivedRun], root: &Path) -> String {
    let largest =
        |run: &ArchivedRun| run.manifest.files.iter().max_by_key(|file| file.bytes).cloned();
    let newest = runs.iter().rev().find_map(|run| Some((run, largest(run)?)));
    newest.map_or_else(
        || "there are none".to_owned(),
        |(run, file)| {
            let path = run.folder.join(&file.path);
            format!("{} and the like", path.strip_prefix(root).unwrap_or(&path).display())
        },
    )
}
