//! The only place that renames and replaces files: durable writes that appear whole or not at all.
#![expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]

use super::fault::At;
use crate::{Error, Result};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

/// Makes a new file of these bytes and makes it durable; what a crash leaves may be torn.
///
/// # Errors
/// *Halt* with reason `exists` when the name is taken; *wait* when the disk cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create_new(path).at("create", path)?;
    let written = file.write_all(bytes).and_then(|()| sync_file(&file));
    if let Err(error) = written {
        // The first error is the one to tell; a torn file that stays is recognised by its reader.
        drop(fs::remove_file(path));
        return Err(error).at("write", path);
    }
    sync_dir(folder_of(path))
}

/// Puts these bytes in the place of whatever the file held; readers see the old or the new.
///
/// Only for advisory files: on exFAT a power cut during the rename may lose both.
///
/// # Errors
/// *Wait* when the disk cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut staged = Staged::create(path)?;
    staged.write_all(bytes).at("write", path)?;
    staged.commit_over()
}

/// Renames a file or folder to a name that is free, and makes that durable.
///
/// # Errors
/// *Halt* with reason `exists` when the name is taken; *wait* for anything that the disk says,
/// also when the two are not on the same file system.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    rename_new(from, to).at("rename to", to)?;
    sync_parents(from, to)
}

/// Makes the entries of a folder durable, where the file system has that.
///
/// # Errors
/// *Wait* when the folder cannot be opened or synchronised.
pub fn sync_dir(folder: &Path) -> Result<()> {
    let result = File::open(folder).and_then(|dir| sync_file(&dir));
    match result {
        // Some network and FUSE file systems know no fsync of folders; nothing more can be done.
        Err(error) if unsupported(&error) => Ok(()),
        other => other.at("synchronise", folder),
    }
}

/// Makes every missing folder on the way from `base`, which must exist, to `base/relative`.
///
/// # Errors
/// *Wait* when `base` is missing or a folder cannot be made; *halt* when `relative` is not a plain
/// relative path.
pub fn make_folders(base: &Path, relative: &Path) -> Result<PathBuf> {
    let mut folder = base.to_path_buf();
    for part in relative.components() {
        let Component::Normal(name) = part else {
            return Err(Error::halt(format!("{} is no plain path", relative.display())));
        };
        let child = folder.join(name);
        match fs::create_dir(&child) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && child.is_dir() => {}
            Err(error) => return Err(error).at("make the folder", &child),
        }
        // Also when it was there: whoever made it may have been killed before this.
        sync_dir(&folder)?;
        folder = child;
    }
    Ok(folder)
}

/// A file being written under a temporary name in its final folder.
///
/// The temporary name is `.name.temp`: fixed, so that what a crash leaves is taken over by the
/// next try and never piles up. Dropped without a commit, it is removed.
#[derive(Debug)]
pub struct Staged {
    file: BufWriter<File>,
    temp: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl Staged {
    /// Begins a file that will be called `path`; one writer per path at a time.
    ///
    /// # Errors
    /// *Wait* when the folder is missing or cannot be written; *halt* when the path has no name.
    pub fn create(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(OsStr::to_str).ok_or_else(|| {
            Error::halt(format!("{} ends in no file name that is text", path.display()))
        })?;
        let temp = path.with_file_name(format!(".{name}.temp"));
        let file = File::create(&temp).at("create", &temp)?;
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { file, temp, path: path.to_path_buf(), committed: false })
    }

    /// Lets nobody but the owner read or write the file; called before anything is in it.
    ///
    /// # Errors
    /// *Wait* when the file system does not let it.
    pub fn private(self) -> Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::Permissions::from_mode(0o600);
            self.file.get_ref().set_permissions(mode).at("protect", &self.temp)?;
        }
        Ok(self)
    }

    /// Makes the file durable and gives it its final name, which must be free.
    ///
    /// # Errors
    /// *Halt* with reason `exists` when the name is taken; *wait* when the disk fails.
    pub fn commit(mut self) -> Result<()> {
        self.flush_to_disk()?;
        rename(&self.temp, &self.path)?;
        self.committed = true;
        Ok(())
    }

    /// Like [`Staged::commit`], in place of a file that may be there: for sealing again what a
    /// crash may have sealed already.
    ///
    /// # Errors
    /// *Wait* when the disk fails.
    pub fn commit_over(mut self) -> Result<()> {
        self.flush_to_disk()?;
        fs::rename(&self.temp, &self.path).at("rename to", &self.path)?;
        self.committed = true;
        sync_dir(folder_of(&self.path))
    }

    fn flush_to_disk(&mut self) -> Result<()> {
        self.file.flush().and_then(|()| sync_file(self.file.get_ref())).at("write", &self.temp)
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing is lost when this fails: the next `create` of the same path takes it over.
            drop(fs::remove_file(&self.temp));
        }
    }
}

/// `fsync`, down to the device where the system has that.
pub(super) fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // macOS asks for F_FULLFSYNC, which SMB and exFAT refuse; a plain fsync is what they have.
        Err(error) if unsupported(&error) => rustix::fs::fsync(file).map_err(io::Error::from),
        other => other,
    }
}

/// The folder that a path lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_parents(from: &Path, to: &Path) -> Result<()> {
    let (old, new) = (folder_of(from), folder_of(to));
    sync_dir(new)?;
    if old == new { Ok(()) } else { sync_dir(old) }
}

fn unsupported(error: &io::Error) -> bool {
    let missing = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        Err(error) if unsupported(&error) => rename_checked(from, to),
        other => other,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_checked(from, to)
}

/// Where the system cannot refuse to overwrite: look first. A mill's tier has one writer.
fn rename_checked(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}
