//! What the suite for file sinks gives to a seal, and what it finds behind it.

use crate::sink::Saved;
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// The files of a folder, by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Reads all files of a folder; a folder in it counts as an empty file.
pub(super) fn read_files(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(&path)? };
        files.insert(name, bytes);
    }
    Ok(files)
}

/// Gives the files of a folder a second name in another one; false where that cannot be done.
pub(super) fn kept_beside(folder: &Path, beside: &Path) -> bool {
    read_files(folder).is_ok_and(|files| {
        files.keys().all(|name| std::fs::hard_link(folder.join(name), beside.join(name)).is_ok())
    })
}

/// The rows of one seal.
pub(super) struct Rows<T> {
    items: VecDeque<T>,
    taken: u64,
    /// Whether an unreadable row comes last.
    torn: bool,
    /// Where the folder is copied to when all rows are taken.
    copy: Option<(PathBuf, PathBuf)>,
}

impl<T: Clone> Rows<T> {
    pub(super) fn of(items: &[T]) -> Self {
        Self { items: items.iter().cloned().collect(), taken: 0, torn: false, copy: None }
    }

    /// With one more row, which cannot be read.
    pub(super) fn torn(mut self) -> Self {
        self.torn = true;
        self
    }

    /// Copies one folder to another once the rows are taken and before the sink knows that.
    pub(super) fn copying(mut self, from: &Path, to: &Path) -> Self {
        self.copy = Some((from.to_path_buf(), to.to_path_buf()));
        self
    }
}

impl<T> Iterator for Rows<T> {
    type Item = Result<Saved<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.items.pop_front() {
            self.taken += 1;
            let key = format!("item-{}", self.taken);
            return Some(Ok(Saved { key, seq: self.taken, content: None, item }));
        }
        if std::mem::take(&mut self.torn) {
            return Some(Err(Error::halt("the suite tears this row")));
        }
        let (from, to) = self.copy.take()?;
        copied(&from, &to).err().map(Err)
    }
}

fn copied(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
