//! Archives, offloads killed at every step, verification, pruning and scratch on a real disk.

mod archives;
mod crash;
mod offloads;
mod retention;

use super::{Init, Parcel, Scratch, Tier, init};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A scratch and an archive in a folder that goes away with the test.
struct House {
    home: TempDir,
    tier: Tier,
    scratch: Scratch,
}

const RUN: &str = "20261120T060000Z-7f3a9c";

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn day(ago: i64) -> NaiveDate {
    noon().date_naive() - TimeDelta::days(ago)
}

fn quiet() {}

impl House {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let Init::Made(tier) = init(&home.path().join("nas"), Some("nas"), noon()).unwrap() else {
            panic!("a new folder was an archive already");
        };
        let scratch = Scratch::at(home.path().join("scratch"));
        Self { home, tier, scratch }
    }

    /// Files on scratch, as a parcel of the mill `m1` and the pipeline `news`.
    fn parcel(&self, dataset: &str, run: &str, dt: NaiveDate, files: &[(&str, &[u8])]) -> Parcel {
        let source = self.scratch.folder(dataset, "news", run);
        for (path, bytes) in files {
            put(&source.join(path), bytes);
        }
        Parcel {
            mill: "m1".into(),
            pipeline: "news".into(),
            dataset: dataset.into(),
            run: run.into(),
            dt,
            source,
            files: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
            created: noon(),
            rows: BTreeMap::from([("part-0000.parquet".to_owned(), 3)]),
        }
    }

    fn usual(&self) -> Parcel {
        let big = vec![7; (1 << 20) + 10];
        let files: [(&str, &[u8]); 3] =
            [("part-0000.parquet", b"rows"), ("raw/b.bin", &big), ("empty.txt", b"")];
        self.parcel("llm_summaries", RUN, day(0), &files)
    }

    fn incoming(&self) -> Vec<PathBuf> {
        listing(&self.tier.root.join(".tidemill/incoming"))
    }

    fn trash(&self) -> PathBuf {
        self.tier.root.join(".tidemill/trash")
    }
}

/// Writes a file and the folders above it.
fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}
