//! The catalog: which runs an archive holds, read from its manifests alone.

use super::archive::Tier;
use super::guard;
use super::manifest::Manifest;
use super::names::is_safe;
use super::trash::tombstone;
use super::walk::{Entry, entries};
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
    guard::recheck(tier)?;
    let mut survey = Survey::default();
    for dataset in folders(&tier.root)? {
        for pipeline in unless_denied(folders(&dataset.path))? {
            for (dt, day) in unless_denied(marked(&pipeline.path, "dt="))? {
                let Ok(dt) = dt.parse() else { continue };
                for (run, entry) in marked(&day.path, "run=")? {
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
            Ok((None, _)) => self.distrust(folder, "no valid manifest"),
            Err(error) => {
                // One bad sector costs one run; a disk that went away would cost them all.
                guard::recheck(tier)?;
                self.distrust(folder, &error.message());
            }
        }
        Ok(())
    }

    fn distrust(&mut self, folder: &Path, why: &str) {
        self.untrusted.push(Untrusted { folder: folder.to_path_buf(), why: why.to_owned() });
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
