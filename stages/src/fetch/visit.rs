//! Visits: what is asked of a URL, and what comes back.

use super::page::Page;
use serde::{Deserialize, Serialize};
use tidemill_pipeline::{Blob, Fingerprint};

/// What to ask for, and what is known of it.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The canonical address.
    pub url: url::Url,
    /// What the last published run noted: lets the server answer *not modified*.
    pub known: Option<Note>,
    /// Whether a private address may be asked: a person named it, or a private host led to it.
    pub private: bool,
}

/// What is kept of a page between runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Last-Modified` header.
    pub last_modified: Option<String>,
    /// The hash of the body.
    pub content: Fingerprint,
    /// Where the last full capture lies.
    pub body: Blob,
    /// When the last full capture was made, RFC 3339.
    pub captured_at: String,
    /// Addresses on the same host that the page links to; kept by crawls only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// The feed entry's own hash, when a feed led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Fingerprint>,
}

/// What a visit came to.
#[derive(Debug)]
pub enum Visit {
    /// There is a body that is new to this pipeline.
    New(Box<Visited>),
    /// The body is as it was.
    Unchanged,
}

/// A page that was visited.
#[derive(Debug)]
pub struct Visited {
    /// The page.
    pub page: Page,
    /// What is to be kept of it.
    pub note: Note,
    /// The body.
    pub body: Vec<u8>,
}
