//! The archive's trash: where runs lie between being let go and being gone.

use super::archive::{OWN, Tier};
use super::manifest::MANIFEST;
use super::walk::{Entry, entries, files_below, read_text, remove_file, remove_folder};
use super::{atomic, fault::At, guard, names};
use crate::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that says why a run folder is on its way out.
pub const TOMBSTONE: &str = "_TOMBSTONE.json";

/// Why and when a run was let go; written into its folder before the folder moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The mill that owned the run, and alone may purge it.
    pub mill: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataset's name.
    pub dataset: String,
    /// The run's id.
    pub run: String,
    /// When it was let go; its grace begins here.
    pub at: DateTime<Utc>,
    /// Why.
    pub reasons: Vec<String>,
}

/// What [`purge_trash`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purged {
    /// Folders that are gone.
    pub runs: usize,
    /// The bytes that were freed.
    pub bytes: u64,
    /// Folders that stay for now: of this mill, and still within their grace.
    pub waiting: usize,
    /// Folders without a readable tombstone, left alone: for a person to look at.
    pub unmarked: Vec<PathBuf>,
}

/// The tombstone of a folder, if there is a whole one.
pub(super) fn tombstone(folder: &Path) -> Result<Option<Tombstone>> {
    let path = folder.join(TOMBSTONE);
    match read_text(&path) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error).at("read", &path),
    }
}

/// Marks a run folder and moves it to the trash; gives its new place.
pub(super) fn bury(tier: &Tier, folder: &Path, stone: &Tombstone) -> Result<PathBuf> {
    guard::recheck(tier)?;
    mark(folder, stone)?;
    let trash = tier.root.join(OWN).join("trash");
    let place = atomic::make_folders(&trash, &Path::new(&stone.dataset).join(&stone.pipeline))?;
    let target = free_name(&place, &stone.run)?;
    atomic::rename(folder, &target)?;
    Ok(target)
}

/// `run=<id>`, or with a number when that is taken: an earlier try of the run may have been set
/// aside, and both stay for their grace.
fn free_name(place: &Path, run: &str) -> Result<PathBuf> {
    let mut path = place.join(format!("run={run}"));
    let mut number = 1;
    while path.try_exists().at("look at", &path)? {
        number += 1;
        path = place.join(format!("run={run}+{number}"));
    }
    Ok(path)
}

/// Writes the tombstone, unless a whole one of an earlier try is there.
fn mark(folder: &Path, stone: &Tombstone) -> Result<()> {
    if tombstone(folder)?.is_some() {
        return Ok(());
    }
    let path = folder.join(TOMBSTONE);
    remove_file(&path)?;
    atomic::write_new(&path, &serde_json::to_vec_pretty(stone)?)
}

/// Removes those of the mill's own runs from the trash whose grace is over.
///
/// Of each run the data goes first, then the manifest, then the tombstone with the folder, so
/// that an interrupted purge is still known for what it is. May be called again at any time.
///
/// # Errors
/// *Wait* when the archive is away or cannot be written; *halt* when the grace is longer than
/// time can be counted.
pub fn purge_trash(tier: &Tier, mill: &str, now: DateTime<Utc>, grace: Duration) -> Result<Purged> {
    let grace = TimeDelta::from_std(grace)
        .map_err(|error| Error::halt(format!("the grace {grace:?} is too long: {error}")))?;
    guard::recheck(tier)?;
    let mut purged = Purged::default();
    for entry in trashed(tier)? {
        let Some(stone) = tombstone(&entry.path)? else {
            if files_below(&entry.path)?.is_empty() {
                remove_folder(&entry.path)?;
            } else {
                purged.unmarked.push(entry.path);
            }
            continue;
        };
        if stone.mill != mill {
            continue;
        }
        if now.signed_duration_since(stone.at) < grace {
            purged.waiting += 1;
            continue;
        }
        guard::recheck(tier)?;
        purged.bytes += purge(&entry.path)?;
        purged.runs += 1;
    }
    Ok(purged)
}

/// The folders `.tidemill/trash/<dataset>/<pipeline>/run=…`.
fn trashed(tier: &Tier) -> Result<Vec<Entry>> {
    let mut level = vec![tier.root.join(OWN).join("trash")];
    for _ in 0..2 {
        let mut next = Vec::new();
        for folder in level {
            let inner = entries(&folder)?.unwrap_or_default();
            next.extend(inner.into_iter().filter(|e| e.is_folder).map(|e| e.path));
        }
        level = next;
    }
    let mut runs = Vec::new();
    for folder in level {
        let inner = entries(&folder)?.unwrap_or_default();
        runs.extend(inner.into_iter().filter(|e| e.is_folder && e.name.starts_with("run=")));
    }
    Ok(runs)
}

/// Removes one folder and gives the bytes of its data.
fn purge(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for path in files_below(folder)?.into_iter().filter(|path| !names::is_record(path)) {
        let path = folder.join(path);
        bytes += std::fs::symlink_metadata(&path).at("look at", &path)?.len();
        remove_file(&path)?;
    }
    atomic::sync_dir(folder)?;
    remove_file(&folder.join(MANIFEST))?;
    atomic::sync_dir(folder)?;
    remove_folder(folder)?;
    Ok(bytes)
}
