//! Checks before anything is written or deleted: the right disk, with room, of a fit kind.

use super::archive::{Presence, Tier, look};
use super::fault::At;
use crate::{Error, Result};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What always stays free on a tier, in bytes, so that its last manifest can be written.
const RESERVE: u64 = 64 << 20;

/// Makes sure that the same archive is still there; asked before each batch of writes or deletes.
///
/// # Errors
/// *Wait*: `archive_away` when it is gone, `archive_foreign` when another took its place.
pub fn recheck(tier: &Tier) -> Result<()> {
    match look(&tier.root, Some(&tier.id)) {
        Presence::Here(_) => Ok(()),
        Presence::Foreign { found, known } => Err(Error::wait(format!(
            "the archive at {} is {}, not {known}",
            tier.root.display(),
            found.id
        ))
        .because("archive_foreign")
        .help("mount the archive of this mill there; nothing was written to the other one")),
        Presence::Away { why } => Err(away(&why)),
        Presence::NeverInitialised => Err(away("no archive is there")),
    }
}

fn away(why: &str) -> Error {
    Error::wait(format!("the archive is away: {why}"))
        .because("archive_away")
        .help("mount it; what waits for it stays on scratch and goes at the next run")
}

/// Makes sure that `needed` bytes, a tenth more and a reserve of 64 MiB are free.
///
/// # Errors
/// *Wait* with reason `disk_full` when they are not, or when the disk does not answer.
pub fn room(path: &Path, needed: u64) -> Result<()> {
    let wanted = needed.saturating_add(needed / 10).saturating_add(RESERVE);
    let free = free_bytes(path)?;
    if free >= wanted {
        return Ok(());
    }
    Err(Error::wait(format!(
        "{} has {} MiB free, {} MiB are needed",
        path.display(),
        free >> 20,
        (wanted >> 20) + 1
    ))
    .because("disk_full")
    .help("make room there, or prune; the files wait on scratch until then"))
}

/// The bytes that may be written to the file system of a path.
///
/// # Errors
/// *Wait* when it does not answer.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(path).at("ask for the free space of", path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether two paths lie on the same file system: then one is no backup of the other.
///
/// # Errors
/// *Wait* when one of them cannot be looked at.
pub fn same_disk(a: &Path, b: &Path) -> Result<bool> {
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).at("look at", path);
    Ok(device(a)? == device(b)?)
}

/// A kind of file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsKind {
    /// Its usual name: `ext4`, `exfat`, `nfs`, …; `unknown (…)` with what the system calls it.
    pub name: String,
    /// Whether a live SQLite database may lie there: it needs locks and shared memory that work.
    pub supports_sqlite: bool,
}

impl FsKind {
    /// Whether a power failure leaves other files alone: exFAT and FAT have no journal, and what is
    /// behind FUSE is not known.
    #[must_use]
    pub fn is_journaled(&self) -> bool {
        let name = self.name.as_str();
        !(matches!(name, "exfat" | "vfat" | "msdos") || name.contains("fuse"))
    }
}

impl fmt::Display for FsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The kind of file system that a path lies on. An unknown kind is taken as a local one.
///
/// # Errors
/// *Wait* when it does not answer.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn file_system(path: &Path) -> Result<FsKind> {
    let stat = rustix::fs::statfs(path).at("ask for the file system of", path)?;
    // The field's type differs by architecture; the number is one of 32 bits.
    Ok(kind_of_magic(stat.f_type as u32))
}

/// The kind of file system that a path lies on. An unknown kind is taken as a local one.
///
/// # Errors
/// *Wait* when it does not answer.
#[cfg(target_vendor = "apple")]
pub fn file_system(path: &Path) -> Result<FsKind> {
    let stat = rustix::fs::statfs(path).at("ask for the file system of", path)?;
    let bytes = stat.f_fstypename.iter().map(|c| *c as u8).take_while(|c| *c != 0);
    let name = String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).to_lowercase();
    const UNFIT: [&str; 8] = ["nfs", "smbfs", "afpfs", "webdav", "exfat", "msdos", "ntfs", "ftp"];
    let unfit = UNFIT.contains(&name.as_str()) || name.contains("fuse");
    Ok(FsKind { supports_sqlite: !unfit, name })
}

/// The kind of file system that a path lies on; this system has no way to ask.
///
/// # Errors
/// None here.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub fn file_system(_: &Path) -> Result<FsKind> {
    Ok(FsKind { name: "unknown".into(), supports_sqlite: true })
}

/// By the magic numbers of Linux (`linux/magic.h`, and those that drivers define themselves).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn kind_of_magic(magic: u32) -> FsKind {
    let (name, supports_sqlite) = match magic {
        0xef53 => ("ext4", true),
        0x5846_5342 => ("xfs", true),
        0x9123_683e => ("btrfs", true),
        0x0102_1994 => ("tmpfs", true),
        0x2fc1_2fc1 => ("zfs", true),
        0xf2f5_2010 => ("f2fs", true),
        0xca45_1a4e => ("bcachefs", true),
        0x794c_7630 => ("overlay", true),
        0x6969 => ("nfs", false),
        0xff53_4d42 => ("cifs", false),
        0xfe53_4d42 => ("smb2", false),
        0x517b => ("smb", false),
        0x6573_5546 => ("fuse", false),
        0x2011_bab0 => ("exfat", false),
        0x4d44 => ("vfat", false),
        0x7366_746e => ("ntfs3", false),
        0x5346_544e => ("ntfs", false),
        0x0102_1997 => ("9p", false),
        0x00c3_6400 => ("ceph", false),
        0x5346_414f => ("afs", false),
        other => return FsKind { name: format!("unknown ({other:#x})"), supports_sqlite: true },
    };
    FsKind { name: name.to_owned(), supports_sqlite }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_counts_a_tenth_and_a_reserve() {
        let here = tempfile::tempdir().unwrap();
        let free = free_bytes(here.path()).unwrap();
        assert!(free > 2 * RESERVE, "the test's disk is full");
        room(here.path(), 1).unwrap();
        let error = room(here.path(), free - RESERVE).unwrap_err();
        assert_eq!((error.verdict(), error.reason()), (crate::Verdict::Wait, "disk_full"));
        assert_eq!(room(here.path(), u64::MAX).unwrap_err().reason(), "disk_full");
        assert!(same_disk(here.path(), here.path()).unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn file_systems_are_known_by_name() {
        assert!(!file_system(Path::new("/proc")).unwrap().name.is_empty());
        assert!(!kind_of_magic(0x6573_5546).supports_sqlite);
        assert!(!kind_of_magic(0xff53_4d42).supports_sqlite);
        assert!(kind_of_magic(0xef53).supports_sqlite);
        assert_eq!(kind_of_magic(1).name, "unknown (0x1)");
    }
}
