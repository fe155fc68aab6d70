//! Items: the serde values that travel, the envelopes they travel in, and references to bodies.

use crate::{Error, Fingerprint};
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
pub(crate) struct Envelope<T> {
    /// The place in the run: 1, 2, 3 … in the order in which the source yielded.
    pub(crate) seq: u64,
    /// What the source calls it: a canonical URL, a guid, a line.
    pub(crate) key: Arc<str>,
    /// The value.
    pub(crate) item: T,
    /// About how much room it takes, in bytes: its JSON form when it was written down last.
    pub(crate) bytes: usize,
}

impl<T> Envelope<T> {
    /// The same envelope around another item, which takes this much room.
    pub(crate) fn with_bytes<U>(self, item: U, bytes: usize) -> Envelope<U> {
        Envelope { seq: self.seq, key: self.key, item, bytes }
    }
}

/// The largest JSON form of an item: what is larger is a body, and bodies lie in files.
pub(crate) const MAX_BYTES: usize = 32 << 20;

pub(crate) fn too_large(bytes: usize) -> Error {
    Error::park(format!("the item takes {} MB; {} MB at most may travel", bytes >> 20, MAX_BYTES >> 20))
        .because("item_too_large")
        .help("keep bodies in files of the run (`Context::folder`) and let a reference travel, as `Page` does with its `Blob`")
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
