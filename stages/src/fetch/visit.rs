//! Visits: what is asked of a URL, and what comes back.

use super::page::Page;
use super::sniff::{Kind, sniff};
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
    /// What the answer is wanted for; the archive keeps it with the capture.
    pub purpose: Purpose,
}

/// What an answer is wanted for, and with it which item the capture is, when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Whatever comes is the item with this key.
    Item(String),
    /// The item with this key, if it is a page that can be read as text; else a list of pages.
    Page(String),
    /// A list of pages, and no item.
    Listing,
}

impl Purpose {
    /// The key of the item that an answer is, when it is one.
    pub(super) fn key(&self, content_type: Option<&str>, body: &[u8]) -> Option<String> {
        match self {
            Purpose::Item(key) => Some(key.clone()),
            Purpose::Page(key) => is_page(sniff(content_type, body)).then(|| key.clone()),
            Purpose::Listing => None,
        }
    }
}

/// Whether a body of this kind is a page that a crawl yields.
fn is_page(kind: Kind) -> bool {
    matches!(kind, Kind::Html | Kind::Text)
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
