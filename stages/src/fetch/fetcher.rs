//! The fetcher, one per mill: rules, gates, redirects, retries, captures.

use super::canonical::{canonical, scrubbed};
use super::capture::{self, Archivists, DATASET};
use super::client::{Client, Politeness, Request, Response};
use super::gate::Gates;
use super::page::Page;
use super::private::{is_private, is_private_host};
use super::rules::Rules;
use super::schema::{self, Had, UrlRow};
use super::visit::{Ask, Note, Visit, Visited};
use crate::warc::{Capture, Origin, Prior, Record};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Blob, Context, Error, Fingerprint, Result, Verdict};
use tokio::sync::OnceCell;
use url::Url;

const REDIRECTS: usize = 10;
const TRIES: u32 = 3;
/// A full capture that is older than this is made anew, so that references stay bounded.
const MAX_REFERENCE_AGE: TimeDelta = TimeDelta::days(14);

/// Fetches for all sources and stages of a mill.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    gates: Gates,
    rules: Rules,
    pub(super) archivists: Archivists,
    tables: OnceCell<()>,
}

/// The gate that a URL belongs to: its host and port.
pub(super) fn gate_name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

/// The fetcher of the mill, or why the HTTP client could not be set up.
#[derive(Debug)]
struct Shared(std::result::Result<Arc<Fetcher>, String>);

impl Fetcher {
    /// The mill's fetcher.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn of(cx: &Context) -> Result<Arc<Self>> {
        let shared = cx.shared(|| Shared(Self::new().map(Arc::new).map_err(|e| e.to_string())));
        shared.0.clone().map_err(Error::halt)
    }

    fn new() -> Result<Self> {
        Ok(Self {
            client: Client::new()?,
            gates: Gates::default(),
            rules: Rules::default(),
            archivists: Archivists::default(),
            tables: OnceCell::new(),
        })
    }

    pub(super) async fn ensure_tables(&self, cx: &Context) -> Result<()> {
        self.tables.get_or_try_init(|| schema::ensure(cx.ledger())).await.map(|_| ())
    }

    /// Fetches a URL once per run: what the run has already got is not asked for again.
    ///
    /// # Errors
    /// *Park* with the decision as its reason: `robots_denied`, `http_404`, `too_large`, …
    pub async fn visit(&self, ask: &Ask, politeness: &Politeness, cx: &Context) -> Result<Visit> {
        self.ensure_tables(cx).await?;
        let (run_no, url) = (cx.run()?.no, named(&ask.url));
        match cx.ledger().read(move |read| schema::had(read, run_no, &url)).await? {
            Some(Had::Unchanged) => return Ok(Visit::Unchanged),
            Some(Had::Page(had)) => {
                let (page, note) = *had;
                let body = page.read_body(cx).await?;
                return Ok(Visit::New(Box::new(Visited { page, note, body })));
            }
            None => {}
        }
        let known = ask.known.as_ref().filter(|note| fresh(note, cx.now()));
        match self.get(ask, known, politeness, cx).await {
            Ok((at, response)) => self.keep(ask, known, &at, response, cx).await,
            Err(error) => self.decline(ask, error, cx).await,
        }
    }

    /// Seals the run's captures. Called by every step that fetches; idempotent.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub async fn finish(&self, cx: &Context) -> Result<()> {
        self.ensure_tables(cx).await?;
        self.archivists.close(cx).await?;
        cx.ledger().flush().await?;
        capture::seal(cx).await
    }

    /// Asks, follows redirects hop by hop, tries again what may pass.
    async fn get(
        &self,
        ask: &Ask,
        known: Option<&Note>,
        politeness: &Politeness,
        cx: &Context,
    ) -> Result<(Url, Response)> {
        let (mut at, mut private) = (ask.url.clone(), ask.private);
        for hop in 0..=REDIRECTS {
            // Validators belong to the address that was asked for, not to where it leads.
            let validators = known.filter(|_| hop == 0);
            let response = self.with_tries(&at, validators, private, politeness, cx).await?;
            let location = response.header("location").filter(|_| is_redirect(response.status));
            let Some(next) = location.and_then(|to| at.join(to).ok()) else {
                return Ok((at, response));
            };
            if !matches!(next.scheme(), "http" | "https") {
                return Err(Error::park(format!("it redirects to {}", scrubbed(&next)))
                    .because("redirect_scheme")
                    .help("open it in a browser; only http and https are fetched"));
            }
            private &= is_private_host(&at) || response.ip.is_some_and(is_private);
            at = canonical(&next);
        }
        Err(Error::park(format!("more than {REDIRECTS} redirects"))
            .because("redirect_loop")
            .help("the site sends in circles, often for want of a cookie; leave the page out"))
    }

    async fn with_tries(
        &self,
        at: &Url,
        known: Option<&Note>,
        private: bool,
        politeness: &Politeness,
        cx: &Context,
    ) -> Result<Response> {
        let delay = self.allowed(at, private, politeness, cx).await?;
        let mut attempt = 1;
        loop {
            let Some(mut pass) = self.gates.enter(&gate_name(at), delay, cx).await else {
                return Err(Error::retry("the run is to stop").because("interrupted"));
            };
            let request = Request {
                url: at,
                etag: known.and_then(|note| note.etag.as_deref()),
                last_modified: known.and_then(|note| note.last_modified.as_deref()),
                private,
                politeness,
                cut: false,
            };
            let failed = match self.client.send(&request, cx.now()).await {
                Ok(response) if matches!(response.status, 429 | 500 | 502..=504) => {
                    pass.slow_down(retry_after(&response, cx.now()));
                    status_error(response.status)
                }
                Ok(response) => {
                    pass.went_well();
                    return Ok(response);
                }
                Err(error) if matches!(error.verdict(), Verdict::Retry { .. }) => {
                    pass.slow_down(None);
                    error
                }
                Err(error) => return Err(error),
            };
            drop(pass);
            if attempt >= TRIES || cx.stopping() {
                return Err(failed.context(format!("after {attempt} tries")));
            }
            attempt += 1;
        }
    }

    /// Asks the host's rules; returns the pause that they want.
    async fn allowed(
        &self,
        at: &Url,
        private: bool,
        politeness: &Politeness,
        cx: &Context,
    ) -> Result<Duration> {
        let rules = self.rules.of(at, &self.client, &self.gates, politeness, private, cx).await?;
        let agent = politeness.agent.split('/').next().unwrap_or_default();
        let path = at.query().map_or(at.path().to_string(), |q| format!("{}?{q}", at.path()));
        let verdict = rules.check(agent, &path);
        if !verdict.allowed {
            let line = verdict.line.map_or(String::new(), |line| format!(" line {line}"));
            let rule = verdict.rule.unwrap_or_default();
            return Err(Error::park(format!("robots.txt{line} forbids it: {rule}"))
                .because("robots_denied")
                .help("the site does not want this page fetched by programs; leave it out"));
        }
        Ok(politeness.delay.max(rules.crawl_delay(agent).unwrap_or_default()))
    }

    /// Stores what was got and says what it means.
    async fn keep(
        &self,
        ask: &Ask,
        known: Option<&Note>,
        at: &Url,
        response: Response,
        cx: &Context,
    ) -> Result<Visit> {
        match (response.status, known) {
            (304, Some(note)) => {
                let record = Record::not_modified(&seen(&ask.url, &response), &prior(ask, note));
                self.revisit(ask, note, &record, "not_modified", cx).await
            }
            (200..=299, Some(note)) if note.content == Fingerprint::of_bytes(&response.body) => {
                let record = Record::same_payload(&seen(&ask.url, &response), &prior(ask, note));
                self.revisit(ask, note, &record, "unchanged", cx).await
            }
            (200..=299, _) => self.store(ask, at, response, cx).await,
            (status, _) => self.decline(ask, status_error(status), cx).await,
        }
    }

    async fn revisit(
        &self,
        ask: &Ask,
        note: &Note,
        record: &Record,
        outcome: &str,
        cx: &Context,
    ) -> Result<Visit> {
        cx.refers_to(&note.body).await?;
        let row = url_row(ask, outcome, cx)?;
        let archivist = self.archivists.of(cx).await?;
        archivist.store(record, note.content, move |tx, _| row.write(tx)).await?;
        Ok(Visit::Unchanged)
    }

    async fn store(&self, ask: &Ask, at: &Url, response: Response, cx: &Context) -> Result<Visit> {
        let content = Fingerprint::of_bytes(&response.body);
        let origin = Origin {
            key: ask.purpose.key(response.header("content-type"), &response.body),
            final_url: at.clone(),
        };
        let record = Record::response_for(&seen(&ask.url, &response), &origin);
        let mut row = url_row(ask, "fetched", cx)?;
        let captured_at = response.date.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (url, final_url) = (named(&ask.url), named(at));
        let describe = {
            let status = response.status;
            let (etag, last_modified) =
                (owned(&response, "etag"), owned(&response, "last-modified"));
            let content_type = owned(&response, "content-type");
            move |body: Blob| {
                let note = Note {
                    etag,
                    last_modified,
                    content,
                    body: body.clone(),
                    captured_at: captured_at.clone(),
                    links: Vec::new(),
                    entry: None,
                };
                let page =
                    Page { url, final_url, status, content_type, fetched_at: captured_at, body };
                (page, note)
            }
        };
        let archivist = self.archivists.of(cx).await?;
        let own = describe.clone();
        let blob = archivist
            .store(&record, content, move |tx, blob| {
                let (page, note) = own(blob);
                (row.page, row.note) = (Some(page), Some(note));
                row.write(tx)
            })
            .await?;
        let (page, note) = describe(blob);
        Ok(Visit::New(Box::new(Visited { page, note, body: response.body })))
    }

    /// Records why a URL was not got, and says it.
    async fn decline(&self, ask: &Ask, error: Error, cx: &Context) -> Result<Visit> {
        if error.verdict() == Verdict::Halt || error.reason() == "interrupted" {
            return Err(error);
        }
        let error = error.context(format!("fetch {}", scrubbed(&ask.url)));
        let mut row = url_row(ask, error.reason(), cx)?;
        row.detail = Some(error.message());
        cx.ledger().write(256, move |tx| row.write(tx)).await?;
        Err(error.with_verdict(Verdict::Park).passing())
    }
}

/// A URL as it may be written down: without secrets.
fn named(url: &Url) -> String {
    scrubbed(url).to_string()
}

fn url_row(ask: &Ask, outcome: &str, cx: &Context) -> Result<UrlRow> {
    Ok(UrlRow {
        run_no: cx.run()?.no,
        url: named(&ask.url),
        outcome: outcome.to_string(),
        detail: None,
        page: None,
        note: None,
        at: cx.now().timestamp_millis(),
    })
}

fn seen<'a>(url: &'a Url, response: &'a Response) -> Capture<'a> {
    Capture {
        url,
        date: response.date,
        status: response.status,
        reason: &response.reason,
        headers: &response.headers,
        body: &response.body,
        ip: response.ip,
    }
}

fn prior(ask: &Ask, note: &Note) -> Prior {
    let date = DateTime::parse_from_rfc3339(&note.captured_at).unwrap_or_default().to_utc();
    Prior { url: named(&ask.url), date, id: None }
}

/// Whether a capture is young enough to be referred to.
fn fresh(note: &Note, now: DateTime<Utc>) -> bool {
    note.body.dataset == DATASET
        && DateTime::parse_from_rfc3339(&note.captured_at)
            .is_ok_and(|at| now.signed_duration_since(at) < MAX_REFERENCE_AGE)
}

fn owned(response: &Response, name: &str) -> Option<String> {
    response.header(name).map(str::to_string)
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn status_error(status: u16) -> Error {
    let help = match status {
        401 | 403 => "the site wants a login or no programs; leave the page out",
        404 | 410 => "the page is gone; remove the link",
        429 => "the site asks for patience: raise the delay",
        _ => "the site has a problem of its own; the page is tried again at the next run",
    };
    Error::park(format!("the site answers {status}")).because(format!("http_{status}")).help(help)
}

/// `Retry-After` in seconds or as a date, at most an hour.
fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            u64::try_from(at.signed_duration_since(now).num_seconds()).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds.min(3600)))
}
