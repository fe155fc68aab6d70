//! An archive of a year with as many rows as one likes, written as a mill writes it.

use chrono::{DateTime, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tidemill_pipeline::sink::{FileSink, Saved, Sealing};
use tidemill_pipeline::tier::manifest::Producer;
use tidemill_pipeline::tier::{self, Artifact, Manifest};
use tidemill_pipeline::{Error, Fingerprint, Result};
use tidemill_stages::dataset::Parquet;

/// Runs over the year.
const RUNS: u64 = 100;
const WORDS: [&str; 16] = [
    "tide", "mill", "ebb", "flow", "stone", "wheel", "grain", "flour", "pond", "gate", "spring",
    "neap", "coast", "harbour", "sluice", "miller",
];

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    url: String,
    title: String,
    summary: String,
    language: String,
    method: String,
    model_id: Option<String>,
    words: u32,
    quality: f64,
    fetched: i64,
}

/// Makes it in this folder.
pub(crate) fn make(root: &Path, rows: u64) -> Result<()> {
    tier::init(root, None, DateTime::UNIX_EPOCH)?;
    let next = AtomicU64::new(0);
    let worker = || -> Result<()> {
        loop {
            let n = next.fetch_add(1, Relaxed);
            if n >= RUNS {
                return Ok(());
            }
            run(root, n, rows / RUNS)?;
        }
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| Error::halt("the archive could not be made"))?
        })
    })
}

fn run(root: &Path, n: u64, rows: u64) -> Result<()> {
    let first = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap_or_default();
    let dt = first + Days::new(n * 365 / RUNS);
    let (day, run) = (dt.to_string(), format!("{}T020000Z-{n:06x}", dt.format("%Y%m%d")));
    let folder = root.join(format!("llm_summaries/news/dt={day}/run={run}"));
    std::fs::create_dir_all(&folder)?;
    let steps = Fingerprint::nothing();
    let sealing = Sealing { pipeline: "news", run: &run, dt: &day, steps, folder: &folder };
    let saved = |i: u64| {
        let item = row(n * rows + i);
        let content = Some(Fingerprint::of_bytes(&item.fetched.to_le_bytes()));
        Ok(Saved { key: item.url.clone(), seq: i + 1, content, item })
    };
    let names = Parquet::dataset("llm_summaries").seal(&mut (0..rows).map(saved), &sealing)?;
    let file = |path: String| -> Result<Artifact> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(folder.join(&path))?)?;
        let (bytes, blake3) = (hasher.count(), hasher.finalize().to_hex().to_string());
        Ok(Artifact { path, bytes, blake3, sha256: String::new(), rows: Some(rows) })
    };
    let files = names.into_iter().map(file).collect::<Result<_>>()?;
    let [mill, tier, pipeline, dataset] =
        ["bench", "bench", "news", "llm_summaries"].map(Into::into);
    let (format, created, producer) = (Manifest::FORMAT, DateTime::UNIX_EPOCH, Producer::current());
    Manifest { format, mill, tier, pipeline, dataset, run, dt, created, producer, files }
        .write_new(&folder)
}

/// The n-th row: the same in every archive.
fn row(n: u64) -> Row {
    let h = mixed(n);
    let word = |n: u64| WORDS.get((mixed(n) % 16) as usize).copied().unwrap_or_default();
    let page = if h.is_multiple_of(5) { mixed(n) % (n + 1) } else { n };
    let by_model = !h.is_multiple_of(3);
    Row {
        url: format!("https://site{}.example/articles/{page}", page % 997),
        title: format!("{} {n}", word(n)),
        summary: (0..12).map(|k| word(n * 16 + k)).collect::<Vec<_>>().join(" "),
        language: ["en", "de", "fr", "ja"].get((h >> 8) as usize % 4).map_or("", |l| l).into(),
        method: if by_model { "model" } else { "extractive" }.into(),
        model_id: by_model.then(|| "llama3.2:3b@a80c4f17acd5".into()),
        words: 20 + (h >> 16) as u32 % 200,
        quality: ((h >> 20) % 1000) as f64 / 1000.0,
        fetched: 1_735_689_600 + n as i64,
    }
}

/// Bits of a number, mixed (splitmix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
