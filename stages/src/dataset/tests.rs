//! Tests of what was saved, read back.

use super::Parquet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::tier::{ArchivedRun, Artifact, Manifest};
use tidemill_pipeline::{FileSink, Fingerprint, Item, Replay, Result};

/// Seals items as a run does, with the manifest that the archive would have.
pub(super) fn sealed<T: Item>(folder: &Path, at: (&str, &str), items: &[T]) -> Result<ArchivedRun> {
    let keyed: Vec<_> = items.iter().enumerate().map(|(n, item)| (format!("k{n}"), item)).collect();
    sealed_keyed(folder, at, &keyed)
}

pub(super) fn sealed_keyed<T: Item>(
    folder: &Path,
    (dt, run): (&str, &str),
    items: &[(String, &T)],
) -> Result<ArchivedRun> {
    let folder = folder.join(format!("tides/coast/dt={dt}/run={run}"));
    std::fs::create_dir_all(&folder)?;
    let steps = Fingerprint::nothing();
    let sealing = Sealing { pipeline: "coast", run, dt, steps, folder: &folder };
    let saved = |(n, (key, item)): (usize, &(String, &T))| {
        let content = Some(Fingerprint::of(&n));
        Ok(Saved { key: key.clone(), seq: n as u64 + 1, content, item: (*item).clone() })
    };
    let names =
        Parquet::dataset("tides").seal(&mut items.iter().enumerate().map(saved), &sealing)?;
    let mut files = Vec::new();
    for path in names {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(folder.join(&path))?)?;
        let (bytes, blake3) = (hasher.count(), hasher.finalize().to_hex().to_string());
        files.push(Artifact { path, bytes, blake3, sha256: String::new(), rows: None });
    }
    let dt = dt.parse()?;
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "format": 1, "mill": "m", "tier": "t", "pipeline": "coast", "dataset": "tides", "run": run,
        "dt": dt, "created": "2026-11-20T02:00:00Z", "files": files,
        "producer": { "name": "tidemill", "version": "0" },
    }))?;
    let (dataset, pipeline, run) = ("tides".into(), "coast".into(), run.into());
    Ok(ArchivedRun { dataset, pipeline, dt, run, folder, manifest })
}

const FIRST: (&str, &str) = ("2025-03-01", "20250301T020000Z-aaaaaa");

pub(super) fn reader<T: Item>() -> Arc<dyn Replay<T>> {
    FileSink::<T>::replay(&Parquet::dataset("tides")).unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Water {
    Neap,
    Spring { metres: f64 },
    Named(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tide {
    place: String,
    high: bool,
    minutes: u16,
    below: i64,
    metres: f32,
    wide: i128,
    mark: char,
    day: chrono::NaiveDate,
    water: Water,
    note: Option<String>,
    gauge: Option<i32>,
    harbours: Vec<String>,
    counts: BTreeMap<String, u64>,
    next: Option<Box<Tide>>,
    pair: (u8, String),
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<u8>,
    anything: serde_json::Value,
}

fn tide(place: &str, water: Water) -> Tide {
    Tide {
        place: place.into(),
        high: true,
        minutes: 372,
        below: i64::MIN,
        metres: 6.7,
        wide: -170,
        mark: '水',
        day: chrono::NaiveDate::default(),
        water,
        note: None,
        gauge: Some(-3),
        harbours: vec!["Dóver".into(), "\u{1f30a} \"quoted\"".into(), String::new()],
        counts: [("a".to_owned(), u64::MAX)].into(),
        next: None,
        pair: (7, "seven".into()),
        left_out: Vec::new(),
        anything: serde_json::Value::Null,
    }
}

fn tides() -> Vec<Tide> {
    let inner = tide("{\"no\": \"json\"}", Water::Neap);
    let more = Tide { next: Some(Box::new(inner.clone())), left_out: vec![1, 2], ..inner.clone() };
    let any = Tide {
        anything: serde_json::json!({"a": [1, null, "x"]}),
        note: Some("ebb".into()),
        ..inner
    };
    let words = tide("123", Water::Named("null".into()));
    vec![more, any, words, tide("", Water::Spring { metres: 0.25 })]
}

#[test]
fn what_was_saved_is_read_back_equal() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let run = sealed(folder.path(), FIRST, &tides())?;
    let reader = reader::<Tide>();
    assert_eq!(reader.items(&run, &[0, 1, 2, 3])?, tides());
    assert_eq!(reader.items(&run, &[1, 3])?, [tides()[1].clone(), tides()[3].clone()]);
    assert_eq!(reader.items(&run, &[])?, []);
    let later = reader.items(&run, &[2, 4]).unwrap_err();
    assert!(later.message().contains("4 rows"), "{later}");
    Ok(())
}

#[test]
fn the_index_has_keys_contents_and_what_was_asked_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let run = sealed(folder.path(), FIRST, &tides())?;
    let columns = ["note", "minutes", "nowhere", "high"].map(str::to_owned);
    let index = reader::<Tide>().index(&run, &columns)?;
    assert_eq!(index.len(), 4);
    let second = &index[1];
    assert_eq!((second.key.as_str(), second.place), ("k1", 1));
    assert_eq!(second.content, Some(Fingerprint::of(&1)));
    assert_eq!(serde_json::json!(second.values), serde_json::json!(["ebb", 372, null, true]));
    let names = reader::<Tide>().columns(&[run])?;
    assert!(names.iter().any(|name| name == "minutes") && names.contains(&"_model".to_owned()));
    assert!(!names.contains(&"_key".to_owned()), "{names:?}");
    Ok(())
}

#[test]
fn many_rows_come_in_order_whatever_group_they_are_in() -> Result<()> {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Row {
        n: u64,
    }
    let folder = tempfile::tempdir()?;
    let rows: Vec<Row> = (0..40_000).map(|n| Row { n }).collect();
    let run = sealed(folder.path(), FIRST, &rows)?;
    let reader = reader::<Row>();
    let places = [0, 4095, 4096, 32_767, 32_768, 39_999];
    let found: Vec<u64> = reader.items(&run, &places)?.into_iter().map(|row| row.n).collect();
    assert_eq!(found, places);
    let places: Vec<u64> = reader.index(&run, &[])?.into_iter().map(|item| item.place).collect();
    assert_eq!(places, (0..40_000).collect::<Vec<_>>());
    Ok(())
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Older {
    title: String,
    score: i64,
    dropped: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newer {
    title: String,
    score: f64,
    language: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

#[test]
fn files_of_an_older_type_are_read_by_a_newer_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let older = Older { title: "Ebb".into(), score: 3, dropped: true };
    let run = sealed(folder.path(), FIRST, &[older])?;
    let newer = Newer { title: "Ebb".into(), score: 3.0, language: None, tags: Vec::new() };
    assert_eq!(reader::<Newer>().items(&run, &[0])?, [newer]);
    Ok(())
}

#[test]
fn a_type_that_does_not_fit_is_named_with_file_row_and_column() -> Result<()> {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Other {
        title: u32,
    }
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Wants {
        title: String,
        author: String,
    }
    let folder = tempfile::tempdir()?;
    let older = Older { title: "Ebb".into(), score: 3, dropped: true };
    let run = sealed(folder.path(), FIRST, &[older])?;
    let error = reader::<Other>().items(&run, &[0]).unwrap_err();
    assert_eq!(error.reason(), "item_shape");
    for part in ["row 0 of", "part-0000.parquet", "column `title`", "invalid type", "u32"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    let error = reader::<Wants>().items(&run, &[0]).unwrap_err();
    assert!(error.message().contains("missing field `author`"), "{error}");
    Ok(())
}

#[test]
fn other_bytes_and_no_parquet_at_all_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let run = sealed(folder.path(), FIRST, &tides())?;
    let path = run.folder.join("part-0000.parquet");
    let whole = std::fs::read(&path)?;
    let refused = |bytes: &[u8]| -> Result<[String; 2]> {
        tidemill_pipeline::tier::atomic::replace(&path, bytes)?;
        let told = |error: tidemill_pipeline::Error| {
            assert!(error.message().contains("part-0000.parquet") && error.guidance().is_some());
            error.reason().to_owned()
        };
        let index = reader::<Tide>().index(&run, &[]).map(|_| "read".to_owned());
        let items = reader::<Tide>().items(&run, &[0]).map(|_| "read".to_owned());
        Ok([index.unwrap_or_else(told), items.unwrap_or_else(told)])
    };
    assert_eq!(refused(&vec![7; whole.len()])?, ["no_parquet", "manifest_lies"]);
    assert_eq!(refused(&whole[..whole.len() / 2])?, ["no_parquet", "manifest_lies"]);
    assert_eq!(refused(b"")?, ["no_parquet", "manifest_lies"]);
    let mut turned = whole.clone();
    turned[40] ^= 1;
    assert_eq!(refused(&turned)?[1], "manifest_lies");
    assert_eq!(refused(&whole)?, ["read", "read"]);
    Ok(())
}

#[test]
fn numbers_that_no_column_holds_are_refused_when_they_are_saved() {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Big {
        n: u64,
    }
    let folder = tempfile::tempdir().unwrap();
    let error = sealed(folder.path(), FIRST, &[Big { n: u64::MAX }]).unwrap_err();
    assert_eq!(error.reason(), "row_does_not_fit");
}
