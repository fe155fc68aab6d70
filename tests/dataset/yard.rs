//! An archive of three years whose rows changed their shape twice, made as a mill makes it.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::support::program::{Ended, Place};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tidemill::pipeline::sink::{FileSink, Saved, Sealing};
use tidemill::pipeline::tier::{self, Manifest};
use tidemill::prelude::{Fingerprint, Parquet};

/// As it was in the first year.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct First {
    pub(crate) title: String,
    pub(crate) score: i64,
    pub(crate) draft: bool,
}

/// From the second year on: the score is a real number, a column went, two came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    pub(crate) title: String,
    pub(crate) score: f64,
    pub(crate) language: Option<String>,
    pub(crate) tags: Vec<String>,
}

pub(crate) struct Yard {
    pub(crate) place: Place,
}

impl Yard {
    /// An archive with nothing in it, and no home.
    pub(crate) fn empty() -> Self {
        let place = Place::new();
        let begin = "2024-01-01T00:00:00Z".parse().unwrap();
        tier::init(&place.path("nas"), None, begin).unwrap();
        Self { place }
    }

    /// Nine runs of two pipelines in three years: 54 rows, 38 of them the newest versions.
    pub(crate) fn years() -> Self {
        let yard = Self::empty();
        for (n, dt) in ["2024-03-01", "2024-07-01", "2024-11-01"].into_iter().enumerate() {
            let row = |i: usize| First {
                title: title(i),
                score: i as i64 - 3,
                draft: i.is_multiple_of(2),
            };
            yard.add("news", dt, n, (0..6).map(|i| (key(n * 4 + i), row(n * 4 + i))));
        }
        for (n, dt) in ["2025-03-01", "2025-07-01", "2026-03-01"].into_iter().enumerate() {
            yard.add("news", dt, n, (0..6).map(|i| (key(n * 4 + i + 8), second(n * 4 + i + 8))));
            yard.add("coast", dt, n, (0..6).map(|i| (key(n * 5 + i), second(n * 5 + i))));
        }
        yard
    }

    pub(crate) fn nas(&self) -> PathBuf {
        self.place.path("nas")
    }

    /// A run of the dataset `notes`, with its manifest; its folder.
    pub(crate) fn add<T: tidemill::pipeline::Item>(
        &self,
        pipeline: &str,
        dt: &str,
        n: usize,
        rows: impl Iterator<Item = (String, T)>,
    ) -> PathBuf {
        let run = format!("{}T0{n}0000Z-{:06x}", dt.replace('-', ""), n * 7 + pipeline.len());
        let folder = self.nas().join(format!("notes/{pipeline}/dt={dt}/run={run}"));
        std::fs::create_dir_all(&folder).unwrap();
        let steps = Fingerprint::nothing();
        let sealing = Sealing { pipeline, run: &run, dt, steps, folder: &folder };
        let mut rows = rows.enumerate().map(|(seq, (key, item))| {
            let content = Some(Fingerprint::of(&item));
            Ok(Saved { key, seq: seq as u64 + 1, content, item })
        });
        let names = Parquet::dataset("notes").seal(&mut rows, &sealing).unwrap();
        manifest(&folder, "notes", (pipeline, dt, &run), &names);
        folder
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let mut all = vec!["dataset"];
        all.extend(arguments);
        all.extend(["--archive", "nas"]);
        self.place.run(&all)
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        self.run(&all).code(0).report()
    }

    /// The error's reason, message and help.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> (String, String) {
        let mut all = arguments.to_vec();
        all.push("--json");
        let error = self.run(&all).code(2).report()["error"].clone();
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("reason"), format!("{} → {}", text("message"), text("help")))
    }
}

/// Writes the record that makes files a run's.
pub(crate) fn manifest(folder: &Path, dataset: &str, at: (&str, &str, &str), names: &[String]) {
    let file = |name: &String| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let blake3 = Fingerprint::of_bytes(&bytes).to_hex();
        json!({ "path": name, "bytes": bytes.len(), "blake3": blake3, "sha256": "", "rows": null })
    };
    let files: Vec<Value> = names.iter().map(file).collect();
    let (pipeline, dt, run) = at;
    let manifest = json!({
        "format": Manifest::FORMAT, "mill": "m", "tier": "t", "pipeline": pipeline,
        "dataset": dataset, "run": run, "dt": dt, "created": "2026-11-20T02:00:00Z",
        "producer": { "name": "tidemill", "version": "0" }, "files": files,
    });
    serde_json::from_value::<Manifest>(manifest).unwrap().write_new(folder).unwrap();
}

pub(crate) fn key(n: usize) -> String {
    format!("https://example.org/ö/{n}")
}

fn title(n: usize) -> String {
    format!("{}, no. {n}", ["Ebb", "Fl\u{f6}w", "\u{6c34}"][n % 3])
}

pub(crate) fn second(n: usize) -> Second {
    let language = (!n.is_multiple_of(4)).then(|| ["en", "de"][n % 2].to_owned());
    Second { title: title(n), score: n as f64 + 0.25, language, tags: vec![format!("t{}", n % 3)] }
}
