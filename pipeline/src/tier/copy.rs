//! Copying with hashes in one read, and reading back past the cache.

use super::atomic;
use super::fault::At;
use crate::Result;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes per read: large enough for a disk that seeks, small enough for a heartbeat on slow ones.
const BUFFER: usize = 1 << 20;

/// A batch is synchronised when it has so many open files or bytes.
const BATCH_FILES: usize = 128;
const BATCH_BYTES: u64 = 64 << 20;

/// What a file's bytes add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) bytes: u64,
    pub(super) blake3: String,
    pub(super) sha256: String,
}

#[derive(Default)]
struct Summing {
    bytes: u64,
    blake3: blake3::Hasher,
    sha256: Sha256,
}

impl Summing {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.blake3.update(bytes);
        self.sha256.update(bytes);
    }

    fn done(self) -> Sums {
        Sums {
            bytes: self.bytes,
            blake3: self.blake3.finalize().to_hex().to_string(),
            sha256: format!("{:x}", self.sha256.finalize()),
        }
    }
}

/// Copies a file to a new name; `beat` is called for each buffer.
///
/// The copy is durable when the batch that it is added to has been synchronised.
pub(super) fn copy(from: &Path, to: &Path, batch: &mut Batch, beat: &dyn Fn()) -> Result<Sums> {
    let mut source = File::open(from).at("open", from)?;
    let mut target = File::create_new(to).at("create", to)?;
    let mut sums = Summing::default();
    pump(&mut source, from, beat, |bytes| {
        sums.add(bytes);
        target.write_all(bytes).at("write", to)
    })?;
    batch.add(to, target, sums.bytes, beat)?;
    Ok(sums.done())
}

/// Files that were written and are yet to be synchronised: together, because a file system
/// commits many small files for nearly the price of one.
#[derive(Default)]
pub(super) struct Batch {
    files: Vec<(PathBuf, File)>,
    bytes: u64,
}

impl Batch {
    fn add(&mut self, path: &Path, file: File, bytes: u64, beat: &dyn Fn()) -> Result<()> {
        self.files.push((path.to_path_buf(), file));
        self.bytes += bytes;
        if self.files.len() < BATCH_FILES && self.bytes < BATCH_BYTES {
            return Ok(());
        }
        self.sync(beat)
    }

    /// Makes all files of the batch durable and closes them.
    pub(super) fn sync(&mut self, beat: &dyn Fn()) -> Result<()> {
        self.bytes = 0;
        for (path, file) in self.files.drain(..) {
            beat();
            atomic::sync_file(&file).at("synchronise", &path)?;
        }
        Ok(())
    }
}

/// Both hashes of a file.
pub(super) fn sums(path: &Path, beat: &dyn Fn()) -> Result<Sums> {
    let mut file = File::open(path).at("open", path)?;
    let mut sums = Summing::default();
    pump(&mut file, path, beat, |bytes| {
        sums.add(bytes);
        Ok(())
    })?;
    Ok(sums.done())
}

/// The size and BLAKE3 hash of what the disk, not the cache, holds.
///
/// The file must have been synchronised: only clean pages leave the cache.
pub(super) fn read_back(path: &Path, beat: &dyn Fn()) -> Result<(u64, String)> {
    let mut file = File::open(path).at("open", path)?;
    leave_cache(&file).at("drop the cache of", path)?;
    let (mut bytes, mut hasher) = (0, blake3::Hasher::new());
    pump(&mut file, path, beat, |chunk| {
        bytes += chunk.len() as u64;
        hasher.update(chunk);
        Ok(())
    })?;
    // What was read for proof only should not push out what others work with.
    leave_cache(&file).at("drop the cache of", path)?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

fn pump(
    file: &mut File,
    path: &Path,
    beat: &dyn Fn(),
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        beat();
        let n = match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).at("read", path),
        };
        each(buffer.get(..n).unwrap_or_default())?;
    }
}

#[cfg(target_vendor = "apple")]
fn leave_cache(file: &File) -> io::Result<()> {
    rustix::fs::fcntl_nocache(file, true).map_err(io::Error::from)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn leave_cache(file: &File) -> io::Result<()> {
    let all = None;
    rustix::fs::fadvise(file, 0, all, rustix::fs::Advice::DontNeed).map_err(io::Error::from)
}

/// Other systems have no such call; there the read-back proves what the system would serve.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd"
)))]
fn leave_cache(_: &File) -> io::Result<()> {
    Ok(())
}
