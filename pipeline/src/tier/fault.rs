//! What an I/O error on a tier means for the run.

use crate::{Error, Result};
use std::io;
use std::path::Path;

/// Turns the error of a system call into one with a verdict and guidance.
pub(crate) trait At<T> {
    /// `doing` is what failed, `path` on what.
    fn at(self, doing: &str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, doing: &str, path: &Path) -> Result<T> {
        self.map_err(|error| fault(doing, path, error.into()))
    }
}

/// Nearly everything that a disk can say is a reason to *wait*: the source is still on scratch
/// and the next run tries again. Only a name that is taken is not healed by waiting.
fn fault(doing: &str, path: &Path, error: io::Error) -> Error {
    let message = format!("cannot {doing} {}", path.display());
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Error::halt(message)
            .because("exists")
            .help("look at what is there; nothing was overwritten")
            .caused_by(error);
    }
    let (reason, help) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ("disk_full", "make room there, or prune; the files wait on scratch until then")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            ("read_only", "mount it writable: a disk turns read-only after errors, so check it too")
        }
        io::ErrorKind::PermissionDenied => {
            ("denied", "let the user that runs the mill write there")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            ("missing", "check that the disk or share is still mounted there")
        }
        _ => ("io", "check the cable, the share and the disk's health; the next run tries again"),
    };
    Error::wait(message).because(reason).help(help).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use rustix::io::Errno;

    #[test]
    fn a_full_broken_or_read_only_disk_waits() {
        let cases = [
            (Errno::NOSPC, "disk_full"),
            (Errno::DQUOT, "disk_full"),
            (Errno::ROFS, "read_only"),
            (Errno::IO, "io"),
            (Errno::STALE, "io"),
            (Errno::NOENT, "missing"),
            (Errno::ACCESS, "denied"),
        ];
        for (errno, reason) in cases {
            let error = Err::<(), _>(errno).at("write", Path::new("x")).unwrap_err();
            assert_eq!((error.verdict(), error.reason()), (Verdict::Wait, reason));
            assert!(error.guidance().is_some());
        }
        let error = Err::<(), _>(Errno::EXIST).at("write", Path::new("x")).unwrap_err();
        assert_eq!((error.verdict(), error.reason()), (Verdict::Halt, "exists"));
    }
}
