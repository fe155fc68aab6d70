//! Reads the Parquet files of archived runs back as the items that they were made of.

use super::cells::{json, typed, unreadable};
use super::part::{Part, lost, no_parquet};
use super::row::{self, Field};
use super::schema::Type;
use super::shelf::tables_of;
use crate::shape::{Column, columns};
use polars::prelude::DataFrame;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::collections::HashSet;
use std::fs::File;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemill_pipeline::replay::Indexed;
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_pipeline::{Error, Fingerprint, Replay, Result};

/// Names that expressions have for something else.
const TAKEN: [&str; 3] = ["key", "dt", "run"];

/// The reader of what [`Parquet`](super::Parquet) saved. A place is the number of a row, counted
/// through the run's files in the order of its manifest.
///
/// A run's files are hashed before their first item is handed out. A field that a file lacks, as
/// those of earlier versions do, is absent: an `Option` is `None`, `#[serde(default)]` holds.
pub(super) struct ArchivedRows<T> {
    hands: Mutex<Hands>,
    of: PhantomData<fn() -> T>,
}

/// What is at hand from the last call: items are asked for in portions.
#[derive(Default)]
struct Hands {
    proved: HashSet<PathBuf>,
    run: Option<(PathBuf, Vec<Part>)>,
    group: Option<(PathBuf, usize, DataFrame)>,
}

impl<T> Default for ArchivedRows<T> {
    fn default() -> Self {
        Self { hands: Mutex::default(), of: PhantomData }
    }
}

impl<T> std::fmt::Debug for ArchivedRows<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArchivedRows")
    }
}

impl<T> ArchivedRows<T> {
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The Parquet files of a run, in the order of its manifest.
pub(super) fn parts(run: &ArchivedRun) -> Result<Vec<Part>> {
    tables_of(run).map(|file| Part::open(&run.folder.join(&file.path))).collect()
}

impl<T: DeserializeOwned> Replay<T> for ArchivedRows<T> {
    fn columns(&self, runs: &[ArchivedRun]) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for run in runs {
            for part in parts(run)? {
                for (name, _) in part.columns()? {
                    if !names.contains(&name) && !TAKEN.contains(&name.as_str()) && name != "_key" {
                        names.push(name);
                    }
                }
            }
        }
        Ok(names)
    }

    fn index(&self, run: &ArchivedRun, columns: &[String]) -> Result<Vec<Indexed>> {
        let (mut found, mut before) = (Vec::new(), 0);
        for part in parts(run)? {
            if !part.has("_key") {
                return Err(no_parquet(part.path(), "it has no column `_key`"));
            }
            let types = part.columns()?;
            let wanted: Vec<(&str, Type)> = columns
                .iter()
                .map(|name| {
                    let known = types.iter().find(|(found, _)| found == name);
                    (name.as_str(), known.map_or(Type::Nothing, |(_, holds)| *holds))
                })
                .collect();
            for (group, rows) in part.groups().into_iter().enumerate() {
                indexed(&part, group, before + rows.start, &wanted, &mut found)?;
            }
            before += part.rows();
        }
        Ok(found)
    }

    fn items(&self, run: &ArchivedRun, places: &[u64]) -> Result<Vec<T>> {
        let wanted = columns::<T>()?;
        let mut hands = self.hands();
        prove(run, &mut hands.proved)?;
        let parts = hands.parts(run)?;
        let (mut items, mut before) = (Vec::with_capacity(places.len()), 0);
        for part in &parts {
            for (group, rows) in part.groups().into_iter().enumerate() {
                let rows = before + rows.start..before + rows.end;
                let from = places.partition_point(|place| *place < rows.start);
                let to = places.partition_point(|place| *place < rows.end);
                let Some(here @ [_, ..]) = places.get(from..to) else { continue };
                let frame = hands.group(part, group, &wanted)?;
                take(part, &frame, &wanted, &rows, here, &mut items)?;
            }
            before += part.rows();
        }
        let folder = run.folder.clone();
        hands.run = Some((folder, parts));
        if items.len() != places.len() {
            return Err(no_parquet(
                &run.folder,
                format_args!("it has {before} rows, and later ones were asked for"),
            ));
        }
        Ok(items)
    }
}

/// The keys, contents and asked values of a row group.
fn indexed(
    part: &Part,
    group: usize,
    first: u64,
    wanted: &[(&str, Type)],
    found: &mut Vec<Indexed>,
) -> Result<()> {
    let mut names: Vec<&str> =
        ["_key", "_input"].into_iter().chain(wanted.iter().map(|w| w.0)).collect();
    names.sort_unstable();
    names.dedup(); // ours may be asked for, too
    let frame = part.read(group, &names)?;
    let failed = |error| unreadable(part.path(), error);
    let keys = typed(&frame, "_key", Type::Text).map_err(failed)?;
    let inputs = typed(&frame, "_input", Type::Text).map_err(failed)?;
    let mut values = Vec::with_capacity(wanted.len());
    for (name, holds) in wanted {
        values
            .push(json(&typed(&frame, name, *holds).map_err(failed)?).map_err(failed)?.into_iter());
    }
    let (keys, inputs) = (keys.str().map_err(failed)?, inputs.str().map_err(failed)?);
    for (place, (key, input)) in (first..).zip(keys.iter().zip(inputs.iter())) {
        let Some(key) = key else {
            return Err(no_parquet(part.path(), format_args!("row {place} has no key")));
        };
        let content = input.and_then(|hex| Fingerprint::try_from(hex.to_owned()).ok());
        let values = values.iter_mut().map(|column| column.next().unwrap_or_default()).collect();
        found.push(Indexed { key: key.to_owned(), place, content, values });
    }
    Ok(())
}

/// The items at these places, which all lie in these rows.
fn take<T: DeserializeOwned>(
    part: &Part,
    frame: &DataFrame,
    wanted: &[Column],
    rows: &Range<u64>,
    places: &[u64],
    items: &mut Vec<T>,
) -> Result<()> {
    let failed = |error| unreadable(part.path(), error);
    // From the first place to the last: what lies before and behind is another portion's.
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(()) };
    let from = i64::try_from(first - rows.start).unwrap_or(i64::MAX);
    let frame = frame.slice(from, usize::try_from(last - first + 1).unwrap_or(usize::MAX));
    let mut values: Vec<(&Column, Vec<Json>)> = Vec::with_capacity(wanted.len());
    for column in wanted {
        if let Ok(found) = frame.column(&column.name) {
            values.push((column, json(found).map_err(failed)?));
        }
    }
    for place in places {
        let n = usize::try_from(place - first).unwrap_or(usize::MAX);
        let fields = values.iter_mut().map(|(column, values)| {
            let value = values.get_mut(n).map(Json::take).unwrap_or_default();
            Field { column, value }
        });
        let item = row::item(fields)
            .map_err(|(error, column)| unlike::<T>(part, *place, column, &error))?;
        items.push(item);
    }
    Ok(())
}

/// A row that is no `T` any more.
fn unlike<T>(part: &Part, place: u64, column: Option<&str>, error: &serde_json::Error) -> Error {
    let of = column.map(|name| format!(", column `{name}`")).unwrap_or_default();
    Error::halt(format!(
        "row {place} of {}{of} does not fit {}: {error}",
        part.path().display(),
        std::any::type_name::<T>()
    ))
    .because("item_shape")
    .help("the type has changed since: make a new field an `Option` or `#[serde(default)]`, or leave these dates out with --since")
}

impl Hands {
    /// The run's files; taken out of the hand while they are used.
    fn parts(&mut self, run: &ArchivedRun) -> Result<Vec<Part>> {
        match self.run.take() {
            Some((folder, parts)) if folder == run.folder => Ok(parts),
            _ => parts(run),
        }
    }

    fn group(&mut self, part: &Part, group: usize, wanted: &[Column]) -> Result<DataFrame> {
        if let Some((path, held, frame)) = &self.group
            && (path.as_path(), *held) == (part.path(), group)
        {
            return Ok(frame.clone());
        }
        let names: Vec<&str> = wanted.iter().map(|column| column.name.as_str()).collect();
        self.group = None; // two at once are too much
        let frame = part.read(group, &names)?;
        self.group = Some((part.path().to_path_buf(), group, frame.clone()));
        Ok(frame)
    }
}

/// Hashes the run's files, those that were not hashed yet.
fn prove(run: &ArchivedRun, proved: &mut HashSet<PathBuf>) -> Result<()> {
    for file in tables_of(run) {
        let path = run.folder.join(&file.path);
        if proved.contains(&path) {
            continue;
        }
        if hash(&path)? != file.blake3 {
            return Err(Error::halt(format!(
                "{} has other bytes than its manifest says",
                path.display()
            ))
            .because("manifest_lies")
            .help("run `verify`, which repairs what another archive still has; or leave this run out with other dates"));
        }
        proved.insert(path);
    }
    Ok(())
}

fn hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
    read.map_err(|error| lost(path, error))?;
    Ok(hasher.finalize().to_hex().to_string())
}
