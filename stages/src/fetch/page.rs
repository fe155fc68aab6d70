//! Links and pages: what goes into the fetch stage, and what comes out.

use crate::warc;
use serde::{Deserialize, Serialize};
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{Blob, Context, Error, Fingerprint, Result};

/// An address to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The address.
    pub url: String,
    /// What it is called where it was found.
    pub title: Option<String>,
    /// Where it was found; `None` when a person named it. Private addresses are only fetched when
    /// a person named them, or when they were found on a private host.
    pub found_on: Option<String>,
}

impl Link {
    /// An address that a person named.
    pub fn to(url: impl Into<String>) -> Self {
        Self { url: url.into(), title: None, found_on: None }
    }
}

/// A page as it was fetched; its body lies in the run's WARC file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The address that was asked for.
    pub url: String,
    /// The address that answered, after redirects.
    pub final_url: String,
    /// The status code.
    pub status: u16,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// When it was fetched, RFC 3339.
    pub fetched_at: String,
    /// Where its body lies.
    pub body: Blob,
}

impl Page {
    /// Reads the body, on scratch or in the archive, and checks it against its hash.
    ///
    /// # Errors
    /// *Wait* when the archive is away; *park* when the body is gone or damaged.
    pub async fn read_body(&self, cx: &Context) -> Result<Vec<u8>> {
        let member = cx.read_blob(&self.body).await?;
        let expected = self.body.blake3;
        let body = tokio::task::spawn_blocking(in_run(move || -> Result<Vec<u8>> {
            let record = warc::decode(&member)?;
            Ok(warc::http(&record)?.body)
        }))
        .await??;
        if Fingerprint::of_bytes(&body) == expected {
            return Ok(body);
        }
        Err(Error::park(format!("the body of {} in {} has another hash", self.url, self.body.part))
            .because("body_damaged")
            .help("run `verify` to see which file of the archive is damaged"))
    }
}
