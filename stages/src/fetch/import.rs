//! Pages from elsewhere: stored in the run's own WARC, as if the fetcher had got them.

use super::fetcher::Fetcher;
use super::page::Page;
use super::schema::{self, Had, UrlRow};
use super::visit::Note;
use crate::warc::{Capture, Origin, Record};
use chrono::{DateTime, SecondsFormat, Utc};
use tidemill_pipeline::{Blob, Context, Fingerprint, Result};
use url::Url;

/// A page that somebody else captured.
#[derive(Debug)]
pub(crate) struct Import {
    /// Its canonical address without secrets, which is its key as well.
    pub(crate) url: Url,
    /// When it was captured.
    pub(crate) date: DateTime<Utc>,
    /// The status code.
    pub(crate) status: u16,
    /// The headers as they were stored.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without its codings.
    pub(crate) body: Vec<u8>,
    /// The hash of the body.
    pub(crate) content: Fingerprint,
}

impl Import {
    fn record(&self) -> Record {
        let status = reqwest::StatusCode::from_u16(self.status).ok();
        let capture = Capture {
            url: &self.url,
            date: self.date,
            status: self.status,
            reason: status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
            headers: &self.headers,
            body: &self.body,
            ip: None,
        };
        let origin = Origin { key: Some(self.url.to_string()), final_url: self.url.clone() };
        Record::response_for(&capture, &origin)
    }

    fn content_type(&self) -> Option<String> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        found.map(|(_, value)| value.clone())
    }

    fn describe(&self) -> impl Fn(Blob) -> (Page, Note) + Send + use<> {
        let (url, status, content) = (self.url.to_string(), self.status, self.content);
        let captured_at = self.date.to_rfc3339_opts(SecondsFormat::Secs, true);
        let content_type = self.content_type();
        move |body| {
            let note = Note {
                etag: None,
                last_modified: None,
                content,
                body: body.clone(),
                captured_at: captured_at.clone(),
                links: Vec::new(),
                entry: None,
            };
            let (content_type, fetched_at) = (content_type.clone(), captured_at.clone());
            let (url, final_url) = (url.clone(), url.clone());
            (Page { url, final_url, status, content_type, fetched_at, body }, note)
        }
    }
}

impl Fetcher {
    /// Stores a page that somebody else captured, once per run, so that its body can be read when
    /// the file that it came from is gone.
    pub(crate) async fn import(&self, found: &Import, cx: &Context) -> Result<(Page, Note)> {
        self.ensure_tables(cx).await?;
        let (run_no, url) = (cx.run()?.no, found.url.to_string());
        let asked = url.clone();
        let had = cx.ledger().read(move |read| schema::had(read, run_no, &asked)).await?;
        if let Some(Had::Page(had)) = had
            && had.1.content == found.content
        {
            return Ok(*had);
        }
        let (describe, own) = (found.describe(), found.describe());
        let mut row = UrlRow {
            run_no,
            url,
            outcome: "imported".to_owned(),
            detail: None,
            page: None,
            note: None,
            at: cx.now().timestamp_millis(),
        };
        let archivist = self.archivists.of(cx).await?;
        let blob = archivist
            .store(&found.record(), found.content, move |tx, blob| {
                let (page, note) = own(blob);
                (row.page, row.note) = (Some(page), Some(note));
                row.write(tx)
            })
            .await?;
        Ok(describe(blob))
    }
}
