//! Scratch: where a run's files lie on the SSD, and how they leave it.

use super::names::safe_name;
use super::walk::{Entry, entries, remove_folder};
use super::{atomic, fault::At};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

const TRASH: &str = ".trash";

/// The scratch folder of a mill.
///
/// Names that are not safe on every file system are made so, as by
/// [`safe_name`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratch {
    /// The folder.
    pub root: PathBuf,
}

/// A run folder that lies on scratch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// The dataset's name.
    pub dataset: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's id.
    pub run: String,
    /// The folder.
    pub folder: PathBuf,
    /// Whether it is in the trash, waiting to be purged.
    pub trashed: bool,
}

impl Scratch {
    /// The scratch at this folder, which need not exist yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a run's files of a dataset lie.
    #[must_use]
    pub fn folder(&self, dataset: &str, pipeline: &str, run: &str) -> PathBuf {
        self.root.join(place(dataset, pipeline, run))
    }

    /// Where they lie between being retired and being purged.
    #[must_use]
    pub fn trash(&self, dataset: &str, pipeline: &str, run: &str) -> PathBuf {
        self.root.join(TRASH).join(place(dataset, pipeline, run))
    }

    /// Moves a run folder to the trash; says whether there was one to move.
    ///
    /// Call it when enough verified copies exist. May be called again.
    ///
    /// # Errors
    /// *Halt* with reason `exists` when the trash holds a folder of this run as well; *wait* when
    /// the disk fails.
    pub fn retire(&self, dataset: &str, pipeline: &str, run: &str) -> Result<bool> {
        let (folder, trash) =
            (self.folder(dataset, pipeline, run), self.trash(dataset, pipeline, run));
        if !folder.try_exists().at("look at", &folder)? {
            return Ok(false);
        }
        let parent = atomic::folder_of(&trash).strip_prefix(&self.root)?;
        atomic::make_folders(&self.root, parent)?;
        atomic::rename(&folder, &trash).map_err(|error| clash(error, &trash))?;
        Ok(true)
    }

    /// Removes a retired run for good. Fine when it is gone.
    ///
    /// # Errors
    /// *Wait* when the disk fails.
    pub fn purge(&self, dataset: &str, pipeline: &str, run: &str) -> Result<()> {
        remove_folder(&self.trash(dataset, pipeline, run))
    }

    /// All run folders on scratch, in use or in the trash, sorted; litter left out.
    ///
    /// # Errors
    /// *Wait* when the disk fails.
    pub fn leftovers(&self) -> Result<Vec<Leftover>> {
        let mut found = Vec::new();
        for (base, trashed) in [(self.root.clone(), false), (self.root.join(TRASH), true)] {
            for dataset in folders(&base)? {
                for pipeline in folders(&dataset.path)? {
                    let runs = folders(&pipeline.path)?.into_iter();
                    found.extend(runs.filter_map(|run| {
                        Leftover::of(&dataset.name, &pipeline.name, run, trashed)
                    }));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Leftover {
    fn of(dataset: &str, pipeline: &str, entry: Entry, trashed: bool) -> Option<Self> {
        Some(Self {
            dataset: dataset.to_owned(),
            pipeline: pipeline.to_owned(),
            run: entry.name.strip_prefix("run=")?.to_owned(),
            folder: entry.path,
            trashed,
        })
    }
}

fn place(dataset: &str, pipeline: &str, run: &str) -> PathBuf {
    Path::new(&safe_name(dataset)).join(safe_name(pipeline)).join(format!("run={}", safe_name(run)))
}

fn folders(folder: &Path) -> Result<Vec<Entry>> {
    let all = entries(folder)?.unwrap_or_default();
    Ok(all.into_iter().filter(|e| e.is_folder && !e.name.starts_with('.')).collect())
}

fn clash(error: Error, trash: &Path) -> Error {
    if error.reason() != "exists" {
        return error;
    }
    error.help(format!(
        "this run was retired before; compare with {} and remove one",
        trash.display()
    ))
}
