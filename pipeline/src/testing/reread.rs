//! What the suite for file sinks asks of a sink that reads its archived files back.

use super::breach::breach;
use crate::tier::{ArchivedRun, Artifact, Manifest, manifest::Producer};
use crate::{Error, Item, Replay, Result};
use chrono::{DateTime, NaiveDate};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// Reads the sealed files back as if they lay in an archive, and compares.
pub(super) async fn reads_back<T: Item>(
    reader: Arc<dyn Replay<T>>,
    folder: &Path,
    rows: Vec<T>,
) -> Result<()> {
    let run = archived(folder)?;
    let reading = move || compare(reader.as_ref(), &run, &rows);
    let panicked = |e| Error::halt("the reader panicked").because("panicked").caused_by(e);
    tokio::task::spawn_blocking(reading).await.map_err(panicked)?
}

fn compare<T: Item>(reader: &dyn Replay<T>, run: &ArchivedRun, rows: &[T]) -> Result<()> {
    let columns = reader.columns(std::slice::from_ref(run))?;
    let index = reader.index(run, &columns)?;
    let keys: Vec<&str> = index.iter().map(|item| item.key.as_str()).collect();
    let expected: Vec<String> = (1..=rows.len()).map(|n| format!("item-{n}")).collect();
    if keys != expected {
        return Err(differs(&format!("the keys {expected:?} were saved, {keys:?} are read")));
    }
    if let Some(item) = index.iter().find(|item| item.values.len() != columns.len()) {
        let (given, asked) = (item.values.len(), columns.len());
        return Err(differs(&format!("{asked} columns were asked for, {given} values came")));
    }
    let places: Vec<u64> = index.iter().map(|item| item.place).collect();
    if !places.is_sorted_by(|a, b| a < b) {
        return Err(differs(&format!("the places {places:?} do not ascend")));
    }
    same(&reader.items(run, &places)?, rows)?;
    let last = places.len().saturating_sub(1);
    same(&reader.items(run, &places[last..])?, &rows[last..])
}

fn same<T: Item>(read: &[T], saved: &[T]) -> Result<()> {
    let (read, saved) = (serde_json::to_value(read)?, serde_json::to_value(saved)?);
    if read == saved {
        return Ok(());
    }
    Err(differs(&format!("{saved} was saved, {read} is read")))
}

fn differs(seen: &str) -> Error {
    let cure = "give back every item as it was saved, with its key, in the order of the files";
    breach("reread_differs", seen, cure)
}

/// The folder as a run of an archive.
fn archived(folder: &Path) -> Result<ArchivedRun> {
    let mut files = Vec::new();
    for (path, bytes) in super::sealed::read_files(folder)? {
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        files.push(Artifact { path, bytes: bytes.len() as u64, blake3, sha256, rows: None });
    }
    let dt = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
    let [dataset, pipeline, run] = ["suite", "suite", "20260101T060000Z-000000"].map(str::to_owned);
    let manifest = Manifest {
        format: Manifest::FORMAT,
        mill: "suite".into(),
        tier: "suite".into(),
        pipeline: pipeline.clone(),
        dataset: dataset.clone(),
        run: run.clone(),
        dt,
        created: DateTime::UNIX_EPOCH,
        producer: Producer::current(),
        files,
    };
    Ok(ArchivedRun { dataset, pipeline, dt, run, folder: folder.to_path_buf(), manifest })
}
