//! The manifest: the record whose appearance commits a run's artifacts to an archive.

use super::fault::At;
use super::walk::{plain_file, read_text};
use super::{atomic, names};
use crate::{Error, Result};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The manifest's file name in a run folder.
pub const MANIFEST: &str = "_MANIFEST.json";
const FORMAT: u32 = 1;

/// What one run made of one dataset.
///
/// On disk: JSON, then a last line `{"blake3":"…"}` over every byte before it. A manifest whose
/// last line does not fit is torn, and a torn manifest counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format, 1.
    pub format: u32,
    /// The id of the mill that made the run.
    pub mill: String,
    /// The id of the archive that it was written to.
    pub tier: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataset's name.
    pub dataset: String,
    /// The run's id.
    pub run: String,
    /// The local date of the run.
    pub dt: NaiveDate,
    /// When the artifacts were made.
    pub created: DateTime<Utc>,
    /// The program that wrote this.
    pub producer: Producer,
    /// The artifacts by path.
    pub files: Vec<Artifact>,
}

/// The program that wrote a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Producer {
    /// This version of tidemill.
    #[must_use]
    pub fn current() -> Self {
        Self { name: "tidemill".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// One file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its path below the run folder, with `/`.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its BLAKE3 hash in hexadecimal.
    pub blake3: String,
    /// Its SHA-256 hash in hexadecimal, for tools that every system has.
    pub sha256: String,
    /// The rows in it, for datasets that have rows.
    pub rows: Option<u64>,
}

/// The last line of a manifest.
#[derive(Serialize, Deserialize)]
struct Seal {
    blake3: String,
}

impl Manifest {
    /// The version of the format that is written now.
    pub const FORMAT: u32 = FORMAT;

    /// The bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        // A manifest is input: its numbers may be absurd.
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Writes it into a run folder, where there must be none, and reads it again.
    ///
    /// # Errors
    /// *Halt* when one is there or when it would not be accepted by [`Manifest::read`]; *wait*
    /// when the disk fails or gives back something else.
    pub fn write_new(&self, folder: &Path) -> Result<()> {
        self.check()?;
        atomic::write_new(&folder.join(MANIFEST), &self.sealed()?)?;
        if Self::read(folder)?.as_ref() == Some(self) {
            return Ok(());
        }
        Err(Error::wait(format!("the manifest in {} reads back wrong", folder.display()))
            .because("io")
            .help("check the disk's health; the next run tries again"))
    }

    /// The manifest of a run folder; `None` when there is none or it is torn.
    ///
    /// # Errors
    /// *Halt* with reason `manifest_lies` when it is whole but must not be trusted: absolute
    /// paths, `..`, links, a name twice, an unknown format. *Wait* when the disk fails.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(error).at("read", &path),
        };
        let Some(body) = unseal(&text) else { return Ok(None) };
        let manifest: Self = serde_json::from_str(body)
            .map_err(|error| lie(&error.to_string()))
            .and_then(|manifest: Self| manifest.check().map(|()| manifest))
            .map_err(|error| error.context(path.display()))?;
        for file in &manifest.files {
            // Missing files are the business of `verify`.
            plain_file(folder, &file.path)?;
        }
        Ok(Some(manifest))
    }

    fn sealed(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        let seal = Seal { blake3: blake3::hash(&bytes).to_hex().to_string() };
        bytes.extend(serde_json::to_vec(&seal)?);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Refuses what could lead a reader out of the folder or to the wrong file.
    fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            return Err(lie(&format!("its format is {}, known is {FORMAT}", self.format)));
        }
        if let Some(bad) = self.files.iter().find(|file| !honest(&file.path)) {
            return Err(lie(&format!("the path {:?} is not allowed", bad.path)));
        }
        match names::collision(self.files.iter().map(|file| file.path.as_str())) {
            Some((a, b)) => Err(lie(&format!("{a:?} and {b:?} are one name on some disks"))),
            None => Ok(()),
        }
    }
}

fn lie(what: &str) -> Error {
    Error::halt(format!("the manifest is not to be trusted: {what}"))
        .because("manifest_lies")
        .help("it was not written by tidemill as it is; remove it, or restore the folder")
}

/// Missing, or so damaged that it is no text any more.
fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

/// The text before the last line, if the last line is its hash.
fn unseal(text: &str) -> Option<&str> {
    let whole = text.strip_suffix('\n')?;
    let (body, seal) = text.split_at_checked(whole.rfind('\n')? + 1)?;
    let seal: Seal = serde_json::from_str(seal).ok()?;
    (seal.blake3 == blake3::hash(body.as_bytes()).to_hex().as_str()).then_some(body)
}

/// A relative path of plain names that is not one of our own records.
fn honest(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0'])
    };
    path.split('/').all(plain) && !names::is_record(path)
}
