//! The keys that a resumed run has recorded: sixteen bytes each, whatever their length.

use crate::Result;
use crate::ledger::Read;
use crate::ledger::items::{self, Recorded};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Hashes of keys with the places of their items, sorted. Equal hashes are no proof: the item's
/// row is asked.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<(u64, u64)>);

impl Keys {
    /// All keys that the source has yielded in this run.
    pub(crate) fn of_run(read: &Read<'_>, run_no: i64) -> Result<Self> {
        let mut keys = Vec::new();
        items::each_key(read, run_no, |key, seq| keys.push((hash(key), seq)))?;
        keys.sort_unstable();
        Ok(Self(keys))
    }

    /// Whether the run may have this key.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        !self.0.is_empty() && !self.places(hash(key)).is_empty()
    }

    /// The run's newest item with this key.
    pub(crate) fn find(&self, read: &Read<'_>, run_no: i64, key: &str) -> Result<Option<Recorded>> {
        for (_, seq) in self.places(hash(key)).iter().rev() {
            let found = items::at(read, run_no, *seq)?;
            if let Some(item) = found.filter(|item| item.key == key) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    fn places(&self, hash: u64) -> &[(u64, u64)] {
        let begin = self.0.partition_point(|(other, _)| *other < hash);
        let rest = self.0.get(begin..).unwrap_or_default();
        let count = rest.iter().take_while(|(other, _)| *other == hash).count();
        rest.get(..count).unwrap_or_default()
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
