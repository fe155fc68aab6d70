//! Reading folders: listings without litter, regular files only, small texts with a limit.

use super::atomic;
use super::fault::At;
use super::names::junk;
use crate::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No manifest or marker is longer, in bytes; a longer one is not read into memory.
const LONGEST_TEXT: u64 = 256 << 20;

/// One entry of a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// A link to a folder is none.
    pub(super) is_folder: bool,
}

/// The entries of a folder by name, litter left out; `None` when the folder does not exist.
///
/// A name that is no text is shown with replacement characters: it is listed, and matches nothing.
pub(super) fn entries(folder: &Path) -> Result<Option<Vec<Entry>>> {
    let reader = match fs::read_dir(folder) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).at("list", folder),
    };
    let mut found = Vec::new();
    for entry in reader {
        let entry = entry.at("list", folder)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if junk(&name) {
            continue;
        }
        let kind = entry.file_type().at("look at", &entry.path())?;
        found.push(Entry { name, path: entry.path(), is_folder: kind.is_dir() });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(found))
}

/// All files below a folder as paths relative to it with `/`, sorted; litter left out. Links are
/// listed, not followed.
pub(super) fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut waiting = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = waiting.pop() {
        for entry in entries(&folder)?.unwrap_or_default() {
            let relative = format!("{prefix}{}", entry.name);
            if entry.is_folder {
                waiting.push((entry.path, format!("{relative}/")));
            } else {
                files.push(relative);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Removes a folder and all in it, durably; fine when it is not there.
pub(super) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Ok(()) => atomic::sync_dir(atomic::folder_of(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).at("remove", folder),
    }
}

/// Removes a file; fine when it is not there.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
        _ => Ok(()),
    }
}

/// Reads a small text file.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > LONGEST_TEXT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{length} bytes long")));
    }
    let mut text = String::new();
    file.take(LONGEST_TEXT).read_to_string(&mut text)?;
    Ok(text)
}

/// The size in bytes of a regular file below `folder`, reached without any link.
///
/// `Ok(None)` when it is missing. A link anywhere on the way, or something that is no regular
/// file, is an error: it could lead out of the folder.
pub(super) fn plain_file(folder: &Path, relative: &str) -> Result<Option<u64>> {
    let mut path = folder.to_path_buf();
    let mut parts = relative.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("look at", &path),
        };
        let last = parts.peek().is_none();
        if last && meta.is_file() {
            return Ok(Some(meta.len()));
        }
        if last || !meta.is_dir() {
            return Err(Error::halt(format!("{} is no plain file", path.display()))
                .because("not_a_file")
                .help("links and devices are not followed; put the file itself there"));
        }
    }
    Ok(None)
}
