//! Items: the serde values that travel, the envelopes they travel in, and references to bodies.

use crate::Fingerprint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A value that can travel between stages: `#[derive(Clone, Serialize, Deserialize)]` is enough.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between stages",
    label = "this is not an item",
    note = "add `#[derive(Debug, Clone, Serialize, Deserialize)]` to it and to what it holds",
    note = "an item owns what it holds: no references, no `Rc`s"
)]
pub trait Item: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

// One error in our words, where the compiler would list each missing trait on its own.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Item for T {}

/// An item on its way, with its place in the run and the key its source gave it.
#[derive(Debug, Clone)]
pub struct Envelope<T> {
    /// The place in the run: 1, 2, 3 … in the order in which the source yielded.
    pub seq: u64,
    /// What the source calls it: a canonical URL, a guid, a line.
    pub key: Arc<str>,
    /// The value.
    pub item: T,
}

impl<T> Envelope<T> {
    /// The same envelope around another item.
    pub fn with<U>(self, item: U) -> Envelope<U> {
        Envelope { seq: self.seq, key: self.key, item }
    }
}

/// Where a body lies: a range of a file that a run wrote. Bodies are never rows.
///
/// It is looked up on scratch first, then in the archives. What the range holds (one gzip member
/// of a WARC file, say) is the business of the stage that wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// The dataset, for instance `raw_scrapes`.
    pub dataset: String,
    /// The id of the run that wrote it.
    pub run: String,
    /// The file's name once sealed, for instance `part-0000.warc.gz`.
    pub part: String,
    /// Where the range begins, in bytes.
    pub offset: u64,
    /// How long the range is, in bytes.
    pub len: u64,
    /// The hash of the body inside the range.
    pub blake3: Fingerprint,
}
