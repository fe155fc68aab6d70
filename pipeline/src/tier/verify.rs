//! Verify: hash every file of every committed run again, as the disk holds it.

use super::archive::Tier;
use super::catalog::{ArchivedRun, Untrusted, survey};
use super::manifest::Artifact;
use super::names::is_record;
use super::walk::{files_below, plain_file};
use super::{copy, guard};
use crate::Result;
use std::collections::HashSet;
use std::path::Path;

/// One file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its path below the archive.
    pub path: String,
    /// Its dataset.
    pub dataset: String,
    /// Its run.
    pub run: String,
    /// Its size in bytes, as the manifest says.
    pub bytes: u64,
    /// What is wrong with it, if anything.
    pub fault: Option<String>,
}

/// A file that is not what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFile {
    /// Its path below the archive.
    pub path: String,
    /// Its dataset.
    pub dataset: String,
    /// Its run.
    pub run: String,
    /// What is wrong: missing, shorter, longer, other bytes, unreadable.
    pub why: String,
}

/// What a verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Runs with a valid manifest.
    pub runs: usize,
    /// Files looked at.
    pub files: usize,
    /// Bytes that should be there.
    pub bytes: u64,
    /// Files that are not what their manifest says.
    pub bad: Vec<BadFile>,
    /// Run folders without a valid manifest.
    pub torn: Vec<Untrusted>,
    /// Files in committed run folders that no manifest names, by path below the archive.
    pub unlisted: Vec<String>,
}

impl VerifyReport {
    /// Whether everything that is committed is whole. Unlisted files and folders that were never
    /// committed harm nothing.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad.is_empty()
    }
}

/// Hashes all files of all manifests, past the cache; `on` hears of each file as it is done.
///
/// # Errors
/// *Wait* when the archive is away, also when it goes away meanwhile. A single file that cannot
/// be read is no error but a bad file.
pub fn verify(tier: &Tier, on: &mut dyn FnMut(&Checked)) -> Result<VerifyReport> {
    let survey = survey(tier)?;
    let mut report = VerifyReport { torn: survey.untrusted, ..VerifyReport::default() };
    for run in survey.runs.iter().chain(&survey.leaving) {
        report.runs += 1;
        for artifact in &run.manifest.files {
            let checked = check(tier, run, artifact)?;
            on(&checked);
            report.add(checked);
        }
        report.list_strangers(tier, run)?;
    }
    Ok(report)
}

impl VerifyReport {
    fn add(&mut self, checked: Checked) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(checked.bytes);
        let Checked { path, dataset, run, fault, .. } = checked;
        if let Some(why) = fault {
            self.bad.push(BadFile { path, dataset, run, why });
        }
    }

    fn list_strangers(&mut self, tier: &Tier, run: &ArchivedRun) -> Result<()> {
        let listed: HashSet<&str> =
            run.manifest.files.iter().map(|file| file.path.as_str()).collect();
        let strangers = files_below(&run.folder)?.into_iter();
        self.unlisted.extend(
            strangers
                .filter(|path| !is_record(path) && !listed.contains(path.as_str()))
                .map(|path| shown(tier, &run.folder.join(path))),
        );
        Ok(())
    }
}

fn check(tier: &Tier, run: &ArchivedRun, artifact: &Artifact) -> Result<Checked> {
    let fault = match fault_of(&run.folder, artifact) {
        Ok(fault) => fault,
        Err(error) => {
            // A disk that went away says nothing about its files.
            guard::recheck(tier)?;
            Some(format!("unreadable: {}", error.message()))
        }
    };
    Ok(Checked {
        path: shown(tier, &run.folder.join(&artifact.path)),
        dataset: run.dataset.clone(),
        run: run.run.clone(),
        bytes: artifact.bytes,
        fault,
    })
}

fn fault_of(folder: &Path, artifact: &Artifact) -> Result<Option<String>> {
    let Some(length) = plain_file(folder, &artifact.path)? else {
        return Ok(Some("missing".to_owned()));
    };
    if length != artifact.bytes {
        return Ok(Some(format!("{length} bytes long, not {}", artifact.bytes)));
    }
    let (_, blake3) = copy::read_back(&folder.join(&artifact.path), &|| ())?;
    Ok((blake3 != artifact.blake3).then(|| "other bytes than were written".to_owned()))
}

/// A path below the archive, with `/`.
fn shown(tier: &Tier, path: &Path) -> String {
    path.strip_prefix(&tier.root).unwrap_or(path).to_string_lossy().into_owned()
}
