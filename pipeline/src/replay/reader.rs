//! Readers: how a dataset's archived files become items again.

use crate::tier::ArchivedRun;
use crate::{Fingerprint, Result};
use serde_json::Value;

/// Reads a dataset's archived files back as the items that they were made of, so that a pipeline can
/// be entered again behind the step that made them.
///
/// Its methods block and are called on a thread of their own, because an archive may hang. A run's
/// folder has a manifest that was read and compared with the sizes of its files; what is in the
/// files is still input, and may be anything.
pub trait Replay<T>: Send + Sync {
    /// The names of the columns that a person may ask for in an expression, over all these runs,
    /// besides `key`, `dt` and `run`.
    ///
    /// # Errors
    /// When a file cannot be read, or is none of ours; with the file's name and the cure.
    fn columns(&self, runs: &[ArchivedRun]) -> Result<Vec<String>>;

    /// Every item of a run's folder, in the order in which it was written, with the values of these
    /// columns; `null` where this run has no such column. Reads as little as it can.
    ///
    /// # Errors
    /// When a file cannot be read, or is none of ours; with the file's name and the cure.
    fn index(&self, run: &ArchivedRun, columns: &[String]) -> Result<Vec<Indexed>>;

    /// The items at these places of a run's folder, in the order of the places, which ascend.
    ///
    /// # Errors
    /// When a file cannot be read, or its items have another shape than `T`; with the file's name
    /// and the cure.
    fn items(&self, run: &ArchivedRun, places: &[u64]) -> Result<Vec<T>>;
}

/// An archived item, before it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexed {
    /// The key that it had in its run.
    pub key: String,
    /// Where it is in its run's folder; what the number means, its reader knows.
    pub place: u64,
    /// The hash of the content that it was made from, when the files say it.
    pub content: Option<Fingerprint>,
    /// The values of the columns that were asked for, in their order.
    pub values: Vec<Value>,
}
