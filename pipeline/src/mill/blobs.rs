//! Bodies by reference: looked up on scratch first, then in the archives.

use super::Home;
use crate::ledger::{OffloadRow, RunRow};
use crate::run::tier_thread;
use crate::tier::{self, Presence};
use crate::{Blob, Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

impl Home {
    /// Reads the range that a blob refers to.
    ///
    /// # Errors
    /// With the verdict *wait* when the archive that holds it is away; *park* when it is nowhere.
    pub async fn read_blob(&self, blob: &Blob) -> Result<Vec<u8>> {
        let (wanted, dataset) = (blob.run.clone(), blob.dataset.clone());
        let (run, archived) = self
            .ledger()
            .read(move |read| {
                let run = RunRow::by_id(read, &wanted)?;
                let mut rows = OffloadRow::of_run(read, &wanted)?;
                rows.retain(|row| row.dataset == dataset);
                Ok((run, rows.into_iter().next()))
            })
            .await?;
        let Some(run) = run else { return Err(nowhere(blob)) };
        let mut places = self.on_scratch(blob, &run.pipeline);
        let archive =
            archived.and_then(|row| Some((PathBuf::from(row.root?), row.archive?, row.folder?)));
        if let Some((root, _, folder)) = &archive {
            places.push(root.join(folder).join(&blob.part));
        }
        let range = blob.clone();
        let archive = archive.map(|(root, id, _)| (root, id));
        tier_thread::run(move |_| read_first(&places, &range, archive)).await
    }

    fn on_scratch(&self, blob: &Blob, pipeline: &str) -> Vec<PathBuf> {
        let folder = self.scratch().folder(&blob.dataset, pipeline, &blob.run);
        let trash = self.scratch().trash(&blob.dataset, pipeline, &blob.run);
        vec![
            folder.join(&blob.part),
            folder.join(format!("{}.open", blob.part)),
            trash.join(&blob.part),
        ]
    }
}

/// Reads from the first place that has the whole range.
pub(crate) fn read_first(
    places: &[PathBuf],
    blob: &Blob,
    archive: Option<(PathBuf, String)>,
) -> Result<Vec<u8>> {
    let mut failed = None;
    for place in places {
        match read_range(place, blob) {
            Ok(bytes) => return Ok(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                let what = format!(
                    "cannot read {} bytes at {} of {}",
                    blob.len,
                    blob.offset,
                    place.display()
                );
                failed = Some(Error::retry(what).because("body_unreadable").caused_by(e));
            }
        }
    }
    match (archive, failed) {
        (Some((root, id)), _) if !matches!(tier::look(&root, Some(&id)), Presence::Here(_)) => {
            Err(Error::wait(format!("the archive {} that holds the body is away", root.display()))
                .because("archive_away")
                .help("mount it; the next run takes the item first"))
        }
        (_, Some(error)) => Err(error),
        (_, None) => Err(nowhere(blob)),
    }
}

fn read_range(place: &Path, blob: &Blob) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(place)?;
    file.seek(SeekFrom::Start(blob.offset))?;
    let mut bytes = Vec::new();
    file.take(blob.len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == blob.len {
        return Ok(bytes);
    }
    Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file is shorter than that"))
}

fn nowhere(blob: &Blob) -> Error {
    Error::park(format!(
        "the body in {} of run {} is neither on scratch nor in an archive",
        blob.part, blob.run
    ))
    .because("body_missing")
    .help("run `verify`; if the archive was pruned or lost, fetch the page again")
}
