//! What is handed over for an offload, and what comes of it.

use super::manifest::{Artifact, Manifest, Producer};
use super::names;
use super::walk::plain_file;
use crate::{Error, Result};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The sealed files of one run and one dataset, on their way to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The id of the mill that owns the run.
    pub mill: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataset's name.
    pub dataset: String,
    /// The run's id.
    pub run: String,
    /// The local date of the run.
    pub dt: NaiveDate,
    /// The run's folder on scratch.
    pub source: PathBuf,
    /// The files to ship, as paths below `source` with `/`.
    pub files: Vec<String>,
    /// When the artifacts were made; written into the manifest.
    pub created: DateTime<Utc>,
    /// The rows of those files that have rows.
    pub rows: BTreeMap<String, u64>,
}

/// What [`ship`](super::ship) did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    /// The manifest that now stands in the archive.
    pub manifest: Manifest,
    /// The run's folder in the archive.
    pub folder: PathBuf,
    /// The bytes of all its files.
    pub bytes: u64,
    /// Whether it was there and whole before, so that nothing was written.
    pub already: bool,
}

impl Parcel {
    /// Refuses a parcel that could not lie safely in every kind of archive; gives its size in
    /// bytes.
    pub(super) fn check(&self) -> Result<u64> {
        for name in [&self.pipeline, &self.dataset, &self.run] {
            if !names::is_safe(name) {
                return Err(refused(&format!("the name {name:?} is not safe on every disk")));
            }
        }
        if self.files.is_empty() {
            return Err(refused(&format!("run {} has no file of {}", self.run, self.dataset)));
        }
        let paths = || self.files.iter().map(String::as_str);
        let unsafe_path =
            |path: &&str| !path.split('/').all(names::is_safe) || names::is_record(path);
        if let Some(path) = paths().find(unsafe_path) {
            return Err(refused(&format!("the file name {path:?} is not safe on every disk")));
        }
        if let Some((a, b)) = names::collision(paths()) {
            return Err(refused(&format!("{a:?} and {b:?} are one file on some disks")));
        }
        let mut bytes = 0;
        for path in paths() {
            bytes += plain_file(&self.source, path)?.ok_or_else(|| {
                Error::halt(format!("{} is not on scratch", self.source.join(path).display()))
                    .because("source_missing")
                    .help("if the run is in an archive already, verify that; else run it again")
            })?;
        }
        Ok(bytes)
    }

    /// The folder below the archive that the run will have.
    pub(super) fn place(&self) -> PathBuf {
        [self.dataset.as_str(), &self.pipeline, &format!("dt={}", self.dt)]
            .iter()
            .collect::<PathBuf>()
            .join(format!("run={}", self.run))
    }

    /// The manifest of these artifacts, which are sorted by path.
    pub(super) fn manifest(&self, tier: &str, files: Vec<Artifact>) -> Manifest {
        Manifest {
            format: Manifest::FORMAT,
            mill: self.mill.clone(),
            tier: tier.to_owned(),
            pipeline: self.pipeline.clone(),
            dataset: self.dataset.clone(),
            run: self.run.clone(),
            dt: self.dt,
            created: self.created,
            producer: Producer::current(),
            files,
        }
    }
}

fn refused(why: &str) -> Error {
    Error::halt(format!("cannot offload: {why}"))
        .because("bad_parcel")
        .help("rename it in the pipeline; tier::names::safe_name makes a name that fits")
}
