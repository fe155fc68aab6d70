//! A full disk stops a run and loses nothing. Needs the right to mount; is skipped without it.

use super::bench::{open, rows, soon};
use super::parts::{Notes, Seen, Work, table};
use chrono::{TimeZone, Utc};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tidemill_pipeline::clock::ManualClock;
use tidemill_pipeline::run::RunOptions;
use tidemill_pipeline::{Job, Pipeline, Verdict};

/// A small disk in memory, unmounted when the test ends.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one, or says why not.
    fn mount(at: &Path, options: &str) -> Result<Self, String> {
        let said = mount(at, options).map_err(|error| error.to_string())?;
        if said.status.success() {
            return Ok(Self(at.to_path_buf()));
        }
        Err(String::from_utf8_lossy(&said.stderr).trim().to_string())
    }
}

fn mount(at: &Path, options: &str) -> std::io::Result<Output> {
    Command::new("mount").args(["-t", "tmpfs", "-o", options, "tidemill-test"]).arg(at).output()
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have files open there.
        Command::new("umount").arg("-l").arg(&self.0).output().ok();
    }
}

const COUNT: usize = 60;

/// Six megabytes of notes, which the ledger needs several times over.
fn job(seen: &Seen) -> Job {
    let keys: Vec<_> = (0..COUNT).map(|n| format!("{n:02}")).collect();
    let text = "tide ".repeat(20_000);
    let source = Notes::of(keys.iter().map(|key| (key.as_str(), text.as_str())));
    let work = Work::passing("work", seen);
    Job::from(Pipeline::named("full").read(source).then(work).store(table()))
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "says that it was skipped, and why")]
async fn a_run_that_fills_the_disk_halts_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match Disk::mount(folder.path(), "size=8m") {
        Ok(disk) => disk,
        Err(why) => return eprintln!("skipped: no tmpfs of 8 MB can be mounted: {why}"),
    };
    let (root, seen) = (disk.0.join("mill"), Seen::default());
    let clock = Arc::new(ManualClock::at(Utc.with_ymd_and_hms(2026, 1, 1, 6, 0, 0).unwrap()));
    let home = open(&root, &clock).unwrap();
    let error = soon(home.run(&job(&seen), RunOptions::default())).await.unwrap_err();
    assert_eq!((error.reason(), error.verdict()), ("disk_full", Verdict::Halt), "{error:?}");
    assert!(error.to_string().contains("free some space"), "{error:?}");
    drop(home);

    let room = mount(&disk.0, "remount,size=256m").unwrap();
    assert!(room.status.success(), "{room:?}");
    let home = soon(async { open(&root, &clock) }).await.unwrap();
    let report = soon(home.run(&job(&seen), RunOptions::default())).await.unwrap();
    assert!(report.resumed);
    let file = home.ledger().path();
    assert_eq!(rows(file, "PRAGMA integrity_check"), ["ok"]);
    let published = "SELECT count(*), count(DISTINCT key), min(length(text)) FROM notes";
    assert_eq!(rows(file, published), [format!("{COUNT}|{COUNT}|100000")]);
    assert_eq!(rows(file, "SELECT count(*) FROM tm_items"), [COUNT.to_string()]);
}
