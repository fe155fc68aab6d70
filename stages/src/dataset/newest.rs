//! The newest version of each key: which rows of which files they are.

use super::cells::typed;
use super::part::no_parquet;
use super::scan::Placed;
use super::schema::Type;
use std::collections::{HashMap, HashSet};
use tidemill_pipeline::Result;

/// For each file the rows that are the newest versions; `None` where all are. Only keys are read,
/// and 16 bytes of each key's hash are held.
///
/// The files come by run. Within a run the last row of a key counts, as it does in tables.
pub(super) fn rows(files: &[Placed]) -> Result<Vec<Option<Vec<bool>>>> {
    let mut seen: HashMap<&str, HashSet<u128>> = HashMap::new();
    let mut kept = Vec::with_capacity(files.len());
    for placed in files.iter().rev() {
        let seen = seen.entry(placed.pipeline.as_str()).or_default();
        kept.push(of_file(placed, seen)?);
    }
    kept.reverse();
    Ok(kept)
}

fn of_file(placed: &Placed, seen: &mut HashSet<u128>) -> Result<Option<Vec<bool>>> {
    let part = &placed.part;
    let failed = |error| no_parquet(part.path(), error);
    if !part.has("_key") {
        return Err(no_parquet(part.path(), "it has no column `_key`"));
    }
    let groups = part.groups();
    let mut kept = vec![false; part.rows() as usize];
    for (group, rows) in groups.into_iter().enumerate().rev() {
        let frame = part.read(group, &["_key"])?;
        let keys = typed(&frame, "_key", Type::Text).map_err(failed)?;
        let keys: Vec<_> =
            keys.str().map_err(failed)?.iter().map(|key| key.map(key_hash)).collect();
        let places = kept.get_mut(rows.start as usize..rows.end as usize).unwrap_or_default();
        for (place, key) in places.iter_mut().zip(keys).rev() {
            // A row without a key is nobody's older version.
            *place = key.is_none_or(|key| seen.insert(key));
        }
    }
    Ok(if kept.contains(&false) { Some(kept) } else { None })
}

/// What stands for a key while versions are compared.
pub(super) fn key_hash(key: &str) -> u128 {
    let hash = blake3::hash(key.as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes))
}
