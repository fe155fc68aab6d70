//! The catalog: which runs an archive holds, read from its manifests alone.

use super::archive::Tier;
use super::guard;
use super::manifest::Manifest;
use super::names::is_safe;
use super::trash::tombstone;
use super::walk::{Entry, entries, plain_file};
use crate::{Error, Result};
use chrono::NaiveDate;
use std::path::{Path, PathBuf};

/// One run of one dataset, committed to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedRun {
    /// The dataset's name.
    pub dataset: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The local date of the run.
    pub dt: NaiveDate,
    /// The run's id.
    pub run: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

/// Which runs of an archive are meant; by default all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of this dataset only.
    pub dataset: Option<String>,
    /// Of this pipeline only.
    pub pipeline: Option<String>,
    /// Filed under this date or a later one.
    pub since: Option<NaiveDate>,
    /// Filed under this date or an earlier one.
    pub until: Option<NaiveDate>,
    /// With this id or a later one.
    pub from_run: Option<String>,
}

impl Wanted {
    fn covers(&self, dt: NaiveDate) -> bool {
        self.since.is_none_or(|since| dt >= since) && self.until.is_none_or(|until| dt <= until)
    }
}

impl ArchivedRun {
    /// Compares the sizes of its files with what its manifest says; their content is the business of
    /// `verify`.
    ///
    /// # Errors
    /// *Halt* with reason `manifest_lies` when a file is missing or has another size.
    pub fn check_sizes(&self) -> Result<()> {
        for file in &self.manifest.files {
            let what = match plain_file(&self.folder, &file.path)? {
                Some(bytes) if bytes == file.bytes => continue,
                Some(bytes) => format!("has {bytes} bytes instead of {}", file.bytes),
                None => "is missing".to_owned(),
            };
            let path = self.folder.join(&file.path);
            return Err(Error::halt(format!("{} {what}", path.display()))
                .because("manifest_lies")
                .help("run `verify`, which repairs what another archive still has; or leave this run out with other dates"));
        }
        Ok(())
    }

    /// The paths of its files with this ending, in the manifest's order.
    pub fn files_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        let files = self.manifest.files.iter().filter(move |file| file.path.ends_with(ending));
        files.map(|file| self.folder.join(&file.path))
    }
}

/// Everything that looks like a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Runs to trust, by dataset, pipeline, date and id.
    pub runs: Vec<ArchivedRun>,
    /// Run folders that no reader may trust.
    pub untrusted: Vec<Untrusted>,
    /// Run folders with a tombstone: let go, and not yet moved to the trash.
    pub leaving: Vec<ArchivedRun>,
}

/// A run folder that must not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// The folder.
    pub folder: PathBuf,
    /// Why: no manifest, a torn one, or one that lies.
    pub why: String,
    /// Whether something is wrong with it; not so when it was never committed to its end.
    pub lies: bool,
}

/// The committed runs of an archive, sorted by dataset, pipeline, date and id.
///
/// Folders without a valid manifest and folders of others on the same disk are passed over;
/// [`survey`] names the former.
///
/// # Errors
/// *Wait* when the archive is away or cannot be read.
pub fn runs(tier: &Tier) -> Result<Vec<ArchivedRun>> {
    Ok(survey(tier)?.runs)
}

/// All run folders of an archive, with those that must not be trusted.
///
/// # Errors
/// *Wait* when the archive is away or cannot be read.
pub fn survey(tier: &Tier) -> Result<Survey> {
    survey_of(tier, &Wanted::default())
}

/// Those run folders of an archive that are wanted; no other folder is looked into.
///
/// # Errors
/// *Wait* when the archive is away or cannot be read.
pub fn survey_of(tier: &Tier, wanted: &Wanted) -> Result<Survey> {
    guard::recheck(tier)?;
    let mut survey = Survey::default();
    let named = |name: &Option<String>, found: &str| name.as_ref().is_none_or(|n| n == found);
    for dataset in folders(&tier.root)? {
        if !named(&wanted.dataset, &dataset.name) {
            continue;
        }
        for pipeline in unless_denied(folders(&dataset.path))? {
            if !named(&wanted.pipeline, &pipeline.name) {
                continue;
            }
            for (dt, day) in unless_denied(marked(&pipeline.path, "dt="))? {
                let Ok(dt) = dt.parse() else { continue };
                if !wanted.covers(dt) {
                    continue;
                }
                for (run, entry) in marked(&day.path, "run=")? {
                    if wanted.from_run.as_ref().is_some_and(|first| run < *first) {
                        continue;
                    }
                    let names = [dataset.name.as_str(), &pipeline.name, &run];
                    survey.add(tier, names, dt, &entry.path)?;
                }
            }
        }
    }
    Ok(survey)
}

impl Survey {
    fn add(&mut self, tier: &Tier, names: [&str; 3], dt: NaiveDate, folder: &Path) -> Result<()> {
        match read(names, dt, folder).and_then(|run| Ok((run, tombstone(folder)?))) {
            Ok((Some(run), Some(_))) => self.leaving.push(run),
            Ok((Some(run), None)) => self.runs.push(run),
            Ok((None, _)) => self.distrust(folder, "no valid manifest", false),
            Err(error) => {
                // One bad sector costs one run; a disk that went away would cost them all.
                guard::recheck(tier)?;
                self.distrust(folder, &error.message(), true);
            }
        }
        Ok(())
    }

    fn distrust(&mut self, folder: &Path, why: &str, lies: bool) {
        let (folder, why) = (folder.to_path_buf(), why.to_owned());
        self.untrusted.push(Untrusted { folder, why, lies });
    }
}

fn read(names: [&str; 3], dt: NaiveDate, folder: &Path) -> Result<Option<ArchivedRun>> {
    let Some(manifest) = Manifest::read(folder)? else { return Ok(None) };
    let said = [manifest.dataset.as_str(), &manifest.pipeline, &manifest.run];
    if said != names || manifest.dt != dt {
        return Err(Error::halt("its manifest speaks of another run").because("manifest_lies"));
    }
    let [dataset, pipeline, run] = names.map(str::to_owned);
    Ok(Some(ArchivedRun { dataset, pipeline, dt, run, folder: folder.to_path_buf(), manifest }))
}

/// Folders that may be a dataset or a pipeline.
fn folders(folder: &Path) -> Result<Vec<Entry>> {
    let found = entries(folder)?.unwrap_or_default();
    Ok(found.into_iter().filter(|entry| entry.is_folder && is_safe(&entry.name)).collect())
}

/// Folders called `<mark><value>`, with the value.
fn marked(folder: &Path, mark: &str) -> Result<Vec<(String, Entry)>> {
    let value = |entry: Entry| {
        let value = entry.name.strip_prefix(mark)?.to_owned();
        (entry.is_folder && is_safe(&value)).then_some((value, entry))
    };
    Ok(entries(folder)?.unwrap_or_default().into_iter().filter_map(value).collect())
}

/// Other folders on the same disk that this user may not even list cannot be ours.
fn unless_denied<T: Default>(listed: Result<T>) -> Result<T> {
    match listed {
        Err(error) if error.reason() == "denied" => Ok(T::default()),
        other => other,
    }
}
