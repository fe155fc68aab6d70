//! Which archived runs are meant: by dataset, pipeline and date, with a word for everything that is wrong.

use chrono::{Days, NaiveDate};
use std::collections::BTreeSet;
use std::path::Path;
use tidemill_pipeline::tier::{self, ArchivedRun, Artifact, Presence, Tier, Wanted};
use tidemill_pipeline::{Error, Result};

/// A date, or so many days back from today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Day {
    /// This date.
    On(NaiveDate),
    /// So many days before today; 0 is today.
    Back(u64),
    /// A text that says neither; told when it is used.
    Unclear(String),
}

impl Day {
    /// The date that is meant, seen from this local date.
    ///
    /// # Errors
    /// When the text said no date, or one before all dates.
    pub fn date(&self, today: NaiveDate) -> Result<NaiveDate> {
        let unclear = |text: &str| {
            Error::halt(format!("`{text}` is no date"))
                .because("usage")
                .help("write it as 2026-11-20, or as 7d or 2w for so many days or weeks back")
        };
        match self {
            Self::On(date) => Ok(*date),
            Self::Back(days) => {
                today.checked_sub_days(Days::new(*days)).ok_or_else(|| unclear(&format!("{days}d")))
            }
            Self::Unclear(text) => Err(unclear(text)),
        }
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self::On(date)
    }
}

impl From<&str> for Day {
    fn from(text: &str) -> Self {
        let back =
            |unit: char, days: u64| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(days);
        match (text.parse(), back('d', 1).or_else(|| back('w', 7))) {
            (Ok(date), _) => Self::On(date),
            (Err(_), Some(days)) => Self::Back(days),
            (Err(_), None) => Self::Unclear(text.to_owned()),
        }
    }
}

impl From<String> for Day {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// The archive at a folder.
///
/// # Errors
/// *Wait* with reason `archive_away` when it is away, *halt* with `archive_new` when none was ever
/// there.
pub fn archive_at(root: &Path) -> Result<Tier> {
    match tier::look(root, None) {
        Presence::Here(tier) => Ok(tier),
        Presence::Away { why } | Presence::Foreign { known: why, .. } => {
            Err(Error::wait(format!("the archive {} is away: {why}", root.display()))
                .because("archive_away")
                .help("mount it and ask again"))
        }
        Presence::NeverInitialised => Err(Error::halt(format!("{} is no archive", root.display()))
            .because("archive_new")
            .help("name an archive with --archive DIR; if it should be one, its disk may not be mounted")),
    }
}

/// The trusted runs that are wanted, by id: the later ones are the newer versions.
///
/// # Errors
/// `usage` when the range ends before it begins; `dataset_missing` when the archive has nothing of
/// the dataset or of that pipeline in it, with what it has; `manifest_lies` when a run is not what
/// its manifest says. *Wait* when the archive is away.
pub fn runs_of(tier: &Tier, wanted: &Wanted) -> Result<Vec<ArchivedRun>> {
    if let (Some(since), Some(until)) = (wanted.since, wanted.until)
        && since > until
    {
        return Err(Error::halt(format!(
            "the range begins on {since} and ends on {until}, before that"
        ))
        .because("usage")
        .help("exchange the two dates"));
    }
    let survey = tier::survey_of(tier, wanted)?;
    if let Some(liar) = survey.untrusted.iter().find(|folder| folder.lies) {
        let folder = liar.folder.display();
        return Err(Error::halt(format!("{folder} is not to be trusted: {}", liar.why))
            .because("manifest_lies")
            .help("run `verify`, which repairs what another archive still has; or leave this run out with other dates"));
    }
    let mut runs = survey.runs;
    if runs.is_empty() {
        is_there(tier, wanted)?;
    }
    for run in &runs {
        run.check_sizes()?;
    }
    runs.sort_by(|a, b| (&a.run, a.dt, &a.pipeline).cmp(&(&b.run, b.dt, &b.pipeline)));
    Ok(runs)
}

/// The run's files that hold its rows; an index of other files is none.
pub(super) fn tables_of(run: &ArchivedRun) -> impl Iterator<Item = &Artifact> {
    let files = run.manifest.files.iter();
    files.filter(|file| file.path.ends_with(".parquet") && !file.path.ends_with(".idx.parquet"))
}

/// Whether the run holds rows, which can be read as a table.
#[must_use]
pub fn is_table(run: &ArchivedRun) -> bool {
    tables_of(run).next().is_some()
}

/// Refuses a dataset, or a pipeline in it, of which the archive has nothing at all.
fn is_there(tier: &Tier, wanted: &Wanted) -> Result<()> {
    let all = tier::runs(tier)?;
    let datasets: BTreeSet<&str> = all.iter().map(|run| run.dataset.as_str()).collect();
    let missing = |what: String, has: BTreeSet<&str>| {
        let has: Vec<&str> = has.into_iter().collect();
        let has = if has.is_empty() { "nothing yet".to_owned() } else { has.join(", ") };
        Err(Error::halt(format!("the archive {} has no {what}", tier.root.display()))
            .because("dataset_missing")
            .help(format!("it has {has}; another archive is named with --archive DIR")))
    };
    let Some(dataset) = wanted.dataset.as_deref() else { return Ok(()) };
    if !datasets.contains(dataset) {
        return missing(format!("dataset `{dataset}`"), datasets);
    }
    let Some(pipeline) = wanted.pipeline.as_deref() else { return Ok(()) };
    let of = all.iter().filter(|run| run.dataset == dataset);
    let pipelines: BTreeSet<&str> = of.map(|run| run.pipeline.as_str()).collect();
    if !pipelines.contains(pipeline) {
        return missing(format!("`{dataset}` of a pipeline `{pipeline}`"), pipelines);
    }
    Ok(()) // but nothing in that range
}
