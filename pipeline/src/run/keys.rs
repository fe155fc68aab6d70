//! The keys that a resumed run has recorded: thirty-two bytes each, whatever their length.

use crate::Result;
use crate::ledger::Read;
use crate::ledger::items;
use crate::replay::pick;
use crate::{Fingerprint, ledger::ItemState};

/// What the run has of its keys, sorted by their hashes. 128 bits of BLAKE3 stand for a key: two
/// keys of one hash do not occur.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: u128,
    seq: u64,
    content: u64,
}

/// In the place of a content's hash: the source said none.
const NONE: u64 = 0;
/// In the place of a content's hash: the key was found as it was last time.
const UNCHANGED: u64 = 1;

/// What a run has of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Had {
    /// Nothing.
    Nothing,
    /// It was noted as unchanged.
    Unchanged,
    /// It has an item of it, with this content or (when none was asked for) with any.
    Same,
    /// It has an item of it, with other content.
    Other,
}

impl Keys {
    /// All keys that entered this run behind the step `entry`.
    pub(crate) fn of_run(read: &Read<'_>, run_no: i64, entry: usize) -> Result<Self> {
        let mut keys = Vec::new();
        items::each_key(read, run_no, entry, |key, seq, content, state| {
            let content = match state {
                ItemState::Unchanged => UNCHANGED,
                _ => content.map_or(NONE, |content| short(&content)),
            };
            keys.push(Entry { key: pick::hash(key), seq, content });
        })?;
        keys.sort_unstable();
        Ok(Self(keys))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What the run has of this key.
    pub(crate) fn had(&self, key: &str, content: Option<&Fingerprint>) -> Had {
        let entries = self.entries(key);
        let Some(newest) = entries.last() else { return Had::Nothing };
        if newest.content == UNCHANGED {
            return Had::Unchanged;
        }
        match content {
            Some(content) if entries.iter().all(|e| e.content != short(content)) => Had::Other,
            _ => Had::Same,
        }
    }

    /// The place of the run's newest item with this key; none when it was only found unchanged.
    pub(crate) fn item(&self, key: &str) -> Option<u64> {
        let newest = self.entries(key).last().filter(|entry| entry.content != UNCHANGED);
        newest.map(|entry| entry.seq)
    }

    fn entries(&self, key: &str) -> &[Entry] {
        if self.0.is_empty() {
            return &[];
        }
        let hash = pick::hash(key);
        let begin = self.0.partition_point(|entry| entry.key < hash);
        let rest = self.0.get(begin..).unwrap_or_default();
        let count = rest.iter().take_while(|entry| entry.key == hash).count();
        rest.get(..count).unwrap_or_default()
    }
}

/// 64 bits of a content's hash, apart from the two that mean something else.
fn short(content: &Fingerprint) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&content.as_bytes()[..8]);
    u64::from_le_bytes(bytes).max(UNCHANGED + 1)
}
