//! The open part of a run's WARC: appended to, synced, cut after a crash, sealed with its index.

use super::cdxj::{self, Line};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tidemill_pipeline::tier::atomic;
use tidemill_pipeline::{Error, Result, ResultExt};

/// A part file that is being written: `part-0000.warc.gz.open`, sealed as `part-0000.warc.gz`.
///
/// What [`append`](Part::append) returned may be committed to the ledger only after a
/// [`sync`](Part::sync); after a crash [`open`](Part::open) cuts the file to what was committed.
#[derive(Debug)]
pub struct Part {
    folder: PathBuf,
    number: u32,
    /// `None` once it is sealed.
    file: Option<File>,
    end: u64,
    /// An append failed, so there may be bytes behind `end`.
    torn: bool,
}

impl Part {
    /// Opens the part of this number in a folder that exists, making the file when it is new.
    ///
    /// `committed_end` is the offset behind the last record that the ledger knows, in bytes;
    /// what follows it is a torn tail and is cut off. A part that was sealed before the crash is
    /// opened too, so that sealing it again does nothing.
    ///
    /// # Errors
    /// When the file holds less than was committed, or cannot be opened.
    pub fn open(folder: &Path, number: u32, committed_end: u64) -> Result<Self> {
        let mut part =
            Self { folder: folder.to_owned(), number, file: None, end: committed_end, torn: false };
        if part.sealed_path().try_exists().or_halt()? {
            part.check_sealed()?;
            return Ok(part);
        }
        let path = part.open_path();
        let doing = format!("opening {}", path.display());
        let is_new = !path.try_exists().or_halt()?;
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let mut file = options.or_halt().doing(&doing)?;
        let length = file.metadata().or_halt().doing(&doing)?.len();
        part.check_length(&path, length)?;
        if length > committed_end {
            file.set_len(committed_end).or_halt().doing(&doing)?;
            file.sync_all().or_halt().doing(&doing)?;
        }
        file.seek(SeekFrom::Start(committed_end)).or_halt().doing(&doing)?;
        if is_new {
            atomic::sync_dir(folder)?;
        }
        part.file = Some(file);
        Ok(part)
    }

    /// Appends one encoded record and returns its offset and length, in bytes.
    ///
    /// # Errors
    /// When the part is sealed, or the file cannot be written (a full disk). A record that was
    /// written in part is cut off again before the next one.
    pub fn append(&mut self, member: &[u8]) -> Result<(u64, u64)> {
        let (path, offset) = (self.open_path(), self.end);
        let Some(file) = &mut self.file else { return Err(self.sealed()) };
        if self.torn {
            file.set_len(offset).or_halt().doing("cutting off a record that was not written")?;
            file.seek(SeekFrom::Start(offset)).or_halt()?;
            self.torn = false;
        }
        if let Err(error) = file.write_all(member) {
            self.torn = true;
            return Err(Error::halt(format!("writing {}", path.display()))
                .because("scratch_write")
                .help("free space on the scratch disk and run again: nothing committed is lost")
                .caused_by(error));
        }
        let length = member.len() as u64;
        self.end += length;
        Ok((offset, length))
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// When the disk does not take it: then nothing since the last sync may be committed.
    pub fn sync(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.sync_data().or_halt().doing(format!("syncing {}", self.open_path().display()))
    }

    /// The offset behind the last record, in bytes: the size of the part.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The name that the part has, or will have, once it is sealed.
    #[must_use]
    pub fn name(&self) -> String {
        format!("part-{:04}.warc.gz", self.number)
    }

    /// The name of its index.
    #[must_use]
    pub fn index_name(&self) -> String {
        format!("part-{:04}.cdxj", self.number)
    }

    /// Syncs the part, writes its index and gives it its final name, which is returned.
    ///
    /// The index comes first, so a sealed part always has one. Sealing again changes nothing but
    /// the index, which is written from the same lines.
    ///
    /// # Errors
    /// When the part is empty (no `.warc.gz` file may be), or a file cannot be written.
    pub fn seal(&mut self, lines: &[Line]) -> Result<String> {
        if self.end == 0 {
            return Err(Error::halt(format!("{} is empty and cannot be sealed", self.name()))
                .because("warc_empty")
                .help("append a warcinfo record first, or leave the part away"));
        }
        self.cut_torn_tail()?;
        if let Some(file) = &self.file {
            file.sync_all().or_halt().doing(format!("syncing {}", self.open_path().display()))?;
        }
        let index = self.folder.join(self.index_name());
        atomic::replace(&index, cdxj::to_text(lines)?.as_bytes())?;
        if self.file.is_some() {
            atomic::rename(&self.open_path(), &self.sealed_path())?;
            self.file = None;
        }
        Ok(self.name())
    }

    fn cut_torn_tail(&mut self) -> Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.torn) {
            file.set_len(self.end).or_halt().doing("cutting off a record that was not written")?;
            self.torn = false;
        }
        Ok(())
    }

    fn open_path(&self) -> PathBuf {
        self.folder.join(format!("{}.open", self.name()))
    }

    fn sealed_path(&self) -> PathBuf {
        self.folder.join(self.name())
    }

    fn check_sealed(&self) -> Result<()> {
        let path = self.sealed_path();
        let length = path.metadata().or_halt().doing(format!("opening {}", path.display()))?.len();
        self.check_length(&path, length)?;
        if length == self.end {
            return Ok(());
        }
        Err(Error::halt(format!(
            "{} is sealed with {length} bytes, but the ledger knows of {}",
            path.display(),
            self.end
        ))
        .because("warc_sealed")
        .help("the ledger is older than the file: do not mix a restored ledger with newer scratch"))
    }

    fn check_length(&self, path: &Path, length: u64) -> Result<()> {
        if length >= self.end {
            return Ok(());
        }
        Err(Error::halt(format!(
            "{} has {length} bytes, but {} were committed",
            path.display(),
            self.end
        ))
        .because("warc_short")
        .help("the scratch disk lost data: check it; a run with other seeds gives this one up"))
    }

    fn sealed(&self) -> Error {
        Error::halt(format!("{} is sealed and takes no more records", self.name()))
            .because("warc_sealed")
            .help("open the next part")
    }
}
