//! Where a pipeline's files go for good, and how long they stay.

use crate::keep::{Increments, Keep, Snapshots};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder on the HDD or NAS that a pipeline's files are offloaded to, with its retention.
///
/// A relative path lies inside the mill's home; such an archive makes itself at the first run.
/// `--archive DIR` and `TIDEMILL_ARCHIVE` take precedence over the path in the code.
///
/// ```
/// use tidemill_pipeline::{Archive, keep::Keep};
/// let nas = Archive::at("/mnt/nas/mill")
///     .increments(Keep::forever())
///     .snapshots(Keep::daily(30).weekly(12).monthly(24));
/// # let _ = nas;
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Archive {
    pub(crate) at: PathBuf,
    pub(crate) increments: Increments,
    pub(crate) snapshots: Snapshots,
}

impl Archive {
    /// An archive at a folder; it keeps everything until told otherwise.
    #[must_use]
    pub fn at(folder: impl AsRef<Path>) -> Self {
        Self {
            at: folder.as_ref().to_path_buf(),
            increments: Keep::forever(),
            snapshots: Keep::daily(30).weekly(12).monthly(24),
        }
    }

    /// The folder.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.at
    }

    /// How long runs of datasets stay in which each run adds something new (`raw_scrapes`,
    /// `llm_summaries`): by age only, never thinned.
    #[must_use]
    pub fn increments(mut self, keep: Increments) -> Self {
        self.increments = keep;
        self
    }

    /// Which runs of datasets stay in which each run is a full copy (`sqlite`).
    #[must_use]
    pub fn snapshots(mut self, keep: Snapshots) -> Self {
        self.snapshots = keep;
        self
    }
}

impl std::fmt::Display for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, increments, snapshots } = self;
        write!(f, "{} · increments {increments} · snapshots {snapshots}", at.display())
    }
}
