//! The home's lock: one owner at a time, named to those who come second.

use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Held as long as the owner works; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// With the reason `home_locked` when another process has it.
    pub(crate) fn take(home: &Path) -> Result<Self> {
        let path = home.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| {
                Error::halt(format!("cannot open {}", path.display()))
                    .because("home_unwritable")
                    .caused_by(e)
                    .help("make the home writable for this user, or choose another with --home DIR")
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(home, &mut file)),
            Err(TryLockError::Error(e)) => {
                return Err(Error::halt(format!("cannot lock {}", path.display())).caused_by(e));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "process {}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn locked(home: &Path, file: &mut File) -> Error {
    let mut owner = String::new();
    let owner = match file.read_to_string(&mut owner) {
        Ok(n) if n > 0 => owner,
        _ => "another process".into(),
    };
    Error::halt(format!("the home {} is in use by {owner}", home.display()))
        .because("home_locked")
        .help("wait until it is done, or choose another home with --home DIR")
}
