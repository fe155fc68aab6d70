//! The rules of each host: its robots.txt, asked for once and kept for the life of the process.

use super::client::{Client, Politeness, Request};
use super::gate::Gates;
use super::robots::Robots;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Context, Error, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A host whose robots.txt cannot be had is asked again no sooner than this.
const PROBE_AGAIN: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 5;
/// RFC 9309 §2.5 asks for at least 500 KiB.
const CAP: u64 = 512 << 10;

#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<HashMap<String, Arc<Mutex<Option<Entry>>>>>);

#[derive(Debug, Clone)]
struct Entry {
    until: Instant,
    /// The rules, or why they could not be had (then nothing may be fetched: RFC 9309 §2.3.1.4).
    rules: std::result::Result<Arc<Robots>, String>,
}

impl Rules {
    /// The rules of a URL's origin. A second asker waits for the first: no page is asked for
    /// before its host's rules are known.
    pub(super) async fn of(
        &self,
        url: &Url,
        client: &Client,
        gates: &Gates,
        politeness: &Politeness,
        private: bool,
        cx: &Context,
    ) -> Result<Arc<Robots>> {
        let origin = url.origin().ascii_serialization();
        let slot = Arc::clone(self.0.lock().await.entry(origin.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(entry) = slot.as_ref().filter(|entry| entry.until > Instant::now()) {
            return entry.rules.clone().map_err(|why| unreachable(&origin, &why));
        }
        let asked = ask(url, client, gates, politeness, private, cx).await;
        let rules = match asked {
            // Not the host's fault: nothing is learned about it.
            Err(error) if cx.stopping() || error.reason() == "blocked_private" => {
                return Err(error.because(if cx.stopping() {
                    "interrupted"
                } else {
                    "blocked_private"
                }));
            }
            other => other,
        };
        let kept = if rules.is_ok() { KEPT } else { PROBE_AGAIN };
        let entry = Entry {
            until: Instant::now() + kept,
            rules: rules.map(Arc::new).map_err(|error| error.message()),
        };
        *slot = Some(entry.clone());
        entry.rules.map_err(|why| unreachable(&origin, &why))
    }
}

fn unreachable(origin: &str, why: &str) -> Error {
    Error::park(format!("robots.txt of {origin} cannot be had, so nothing is fetched there: {why}"))
        .because("robots_unreachable")
        .help("look whether the site is up; it is asked again at the next run")
}

async fn ask(
    url: &Url,
    client: &Client,
    gates: &Gates,
    politeness: &Politeness,
    private: bool,
    cx: &Context,
) -> Result<Robots> {
    let (mut at, mut private) = (url.join("/robots.txt")?, private);
    let politeness = Politeness { body_cap: CAP, ..politeness.clone() };
    for _ in 0..=REDIRECTS {
        let host = super::fetcher::gate_name(&at);
        let Some(mut pass) = gates.enter(&host, politeness.delay, cx).await else {
            return Err(Error::retry("the run is to stop").because("interrupted"));
        };
        let request = Request {
            url: &at,
            etag: None,
            last_modified: None,
            private,
            politeness: &politeness,
            cut: true, // the first 500 KiB count: RFC 9309 §2.5
        };
        let answer = client.send(&request, cx.now()).await?;
        match answer.status {
            200..=299 => return Ok(Robots::parse(&answer.body)),
            300..=399 => {
                let next = answer.header("location").and_then(|to| at.join(to).ok());
                let Some(next) = next else { return Ok(Robots::parse(b"")) };
                private &= answer.ip.is_some_and(super::private::is_private);
                at = next;
            }
            429 | 500..=599 => {
                pass.slow_down(None);
                return Err(Error::retry(format!("it answers {}", answer.status)));
            }
            _ => return Ok(Robots::parse(b"")), // there are no rules
        }
    }
    Ok(Robots::parse(b"")) // too many redirects count as no rules: RFC 9309 §2.3.1.2
}
