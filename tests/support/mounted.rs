//! Mounts that end with the test: small disks, read-only ones, exFAT.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount. Where this user may not mount, or a tool is missing, the test says that it skips.
pub(crate) struct Mounted {
    at: PathBuf,
    device: Option<String>,
}

impl Mounted {
    /// A disk in memory of this size.
    pub(crate) fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", text(at)])?;
        Some(Self { at: at.to_path_buf(), device: None })
    }

    /// A folder, mounted over itself so that nobody may write.
    pub(crate) fn read_only(at: &Path) -> Option<Self> {
        run("mount", &["--bind", text(at), text(at)])?;
        let mounted = Self { at: at.to_path_buf(), device: None };
        run("mount", &["-o", "remount,ro,bind", text(at)])?;
        Some(mounted)
    }

    /// A disk of 256 MiB with exFAT, by its FUSE driver (packages exfatprogs, exfat-fuse, fuse3).
    pub(crate) fn exfat(image: &Path, at: &Path) -> Option<Self> {
        std::fs::File::create(image).unwrap().set_len(256 << 20).unwrap();
        run("mkfs.exfat", &[text(image)])?;
        let device = run("losetup", &["--find", "--show", text(image)])?;
        let mounted = Self { at: at.to_path_buf(), device: Some(device.clone()) };
        run("mount.exfat-fuse", &[&device, text(at)])?;
        Some(mounted)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
        }
        Ok(output) => {
            eprintln!("skipped: {program}: {}", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            eprintln!("skipped: {program}: {error}");
            None
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What was never mounted cannot be unmounted; then there is nothing to end.
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
        if let Some(device) = &self.device {
            let _ = Command::new("losetup").args(["-d", device]).output();
        }
    }
}
