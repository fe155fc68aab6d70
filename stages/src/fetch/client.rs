//! One request and its answer: headers, timeouts, caps; no redirects, no retries.

use super::private;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Error, Result, ResultExt};
use url::Url;

const CONNECT: Duration = Duration::from_secs(10);
const FIRST_BYTE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(20);
const TOTAL: Duration = Duration::from_secs(300);

/// How gently sites are treated, and how much is taken from them.
#[derive(Debug, Clone)]
pub struct Politeness {
    /// The pause between two requests to one host; a longer `Crawl-delay` counts.
    pub delay: Duration,
    /// How the program calls itself to sites and in their robots.txt.
    pub agent: String,
    /// The largest body that is taken, decoded, in bytes.
    pub body_cap: u64,
}

impl Default for Politeness {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            agent: concat!("tidemill/", env!("CARGO_PKG_VERSION")).into(),
            body_cap: 32 << 20,
        }
    }
}

/// An answer, with its body decoded.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) ip: Option<IpAddr>,
    pub(super) date: DateTime<Utc>,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a request is made with.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) etag: Option<&'a str>,
    pub(super) last_modified: Option<&'a str>,
    pub(super) private: bool,
    pub(super) politeness: &'a Politeness,
    /// A body over the cap is cut there instead of refused.
    pub(super) cut: bool,
}

/// Two clients that differ in one thing: whether private addresses are resolved.
#[derive(Debug)]
pub(super) struct Client {
    open: reqwest::Client,
    guarded: reqwest::Client,
}

impl Client {
    pub(super) fn new() -> Result<Self> {
        let builder = || {
            reqwest::Client::builder()
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .pool_idle_timeout(Duration::from_secs(30))
        };
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().or_halt().doing("setting up the HTTP client")
        };
        Ok(Self {
            open: built(builder())?,
            guarded: built(builder().dns_resolver(Arc::new(PublicOnly)))?,
        })
    }

    /// Sends one request and reads the answer within its timeouts and caps.
    pub(super) async fn send(&self, request: &Request<'_>, now: DateTime<Utc>) -> Result<Response> {
        let client = if request.private { &self.open } else { &self.guarded };
        if !request.private && private::is_private_host(request.url) {
            return Err(blocked(request.url));
        }
        let mut builder = client
            .get(request.url.clone())
            .header("user-agent", &request.politeness.agent)
            .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5");
        if let Some(etag) = request.etag {
            builder = builder.header("if-none-match", etag);
        }
        if let Some(date) = request.last_modified {
            builder = builder.header("if-modified-since", date);
        }
        let work = async {
            let answer = tokio::time::timeout(FIRST_BYTE, builder.send())
                .await
                .map_err(|_| timed_out("no answer", FIRST_BYTE))?
                .map_err(transport)?;
            read(answer, request.politeness.body_cap, request.cut, now).await
        };
        tokio::time::timeout(TOTAL, work).await.map_err(|_| timed_out("not done", TOTAL))?
    }
}

async fn read(
    answer: reqwest::Response,
    cap: u64,
    cut: bool,
    date: DateTime<Utc>,
) -> Result<Response> {
    let status = answer.status();
    if !cut && answer.content_length().is_some_and(|length| length > cap) {
        return Err(too_large(cap));
    }
    let mut response = Response {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or_default().to_string(),
        headers: pairs(answer.headers()),
        body: Vec::new(),
        ip: answer.remote_addr().map(|address| address.ip()),
        date,
    };
    let mut stream = answer.bytes_stream();
    loop {
        let next = tokio::time::timeout(IDLE, stream.next())
            .await
            .map_err(|_| timed_out("the body stopped coming", IDLE))?;
        let Some(chunk) = next else { return Ok(response) };
        let chunk = chunk.map_err(transport)?;
        // The cap is on what comes out of the decoder, so a small bomb meets it too.
        if (response.body.len() + chunk.len()) as u64 > cap {
            return if cut { Ok(response) } else { Err(too_large(cap)) };
        }
        response.body.extend_from_slice(&chunk);
    }
}

/// Headers as text; bytes that are no text are kept as replacement characters.
fn pairs(headers: &HeaderMap<HeaderValue>) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn too_large(cap: u64) -> Error {
    Error::park(format!("the body is larger than {} MiB", cap >> 20))
        .because("too_large")
        .help("raise the cap with `Politeness { body_cap, .. }` if you want it")
}

fn timed_out(what: &str, limit: Duration) -> Error {
    Error::retry(format!("{what} within {} s", limit.as_secs()))
        .because("timeout")
        .help("the site is slow; the page is tried again at the next run")
}

fn transport(error: reqwest::Error) -> Error {
    let blocked = {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        std::iter::from_fn(|| {
            let this = cause?;
            cause = this.source();
            Some(this.to_string())
        })
        .any(|text| text.contains(BLOCKED))
    };
    if blocked {
        return Error::park(BLOCKED).because("blocked_private").help(BLOCKED_HELP);
    }
    let reason = if error.is_connect() {
        "unreachable"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "broken_answer"
    };
    // The URL is named by the caller, scrubbed of secrets.
    Error::retry("the request failed")
        .because(reason)
        .help("look whether the site is up; the page is tried again at the next run")
        .caused_by(error.without_url())
}

const BLOCKED: &str = "a public page led to a private address";
const BLOCKED_HELP: &str = "if you trust it, name that address yourself as a seed";

fn blocked(url: &Url) -> Error {
    let host = url.host_str().unwrap_or_default();
    Error::park(format!("{BLOCKED}: {host}")).because("blocked_private").help(BLOCKED_HELP)
}

/// Resolves names to public addresses only, at the moment of connecting: a name that changes its
/// address between a check and the connection gains nothing.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                all.filter(|address| !private::is_private(address.ip())).collect();
            if public.is_empty() {
                return Err(BLOCKED.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}
