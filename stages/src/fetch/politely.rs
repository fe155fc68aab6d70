//! The fetch stage: a link goes in, a page whose bytes are safe on scratch comes out.

use super::archived::ArchivedPages;
use super::canonical::canonical;
use super::client::Politeness;
use super::fetcher::Fetcher;
use super::page::{Link, Page};
use super::private::is_private_host;
use super::visit::{Ask, Note, Purpose, Visit};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Context, Error, Fingerprint, Replay, Result, ResultExt, Stage, Step};
use url::Url;

/// Fetches links politely: robots.txt is obeyed, each host has its pause, what was not modified is
/// not fetched, and every byte goes to the run's WARC file on scratch.
///
/// ```
/// use tidemill_stages::fetch::Fetch;
/// use std::time::Duration;
/// let fetch = Fetch::politely().delay(Duration::from_secs(2));
/// # let _ = fetch;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Fetch {
    politeness: Politeness,
}

impl Fetch {
    /// With a pause of one second per host.
    #[must_use]
    pub fn politely() -> Self {
        Self::default()
    }

    /// With this pause between two requests to one host; a longer `Crawl-delay` still counts.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.politeness.delay = delay;
        self
    }

    /// With all of it as given.
    #[must_use]
    pub fn with(politeness: Politeness) -> Self {
        Self { politeness }
    }
}

impl Step for Fetch {
    fn name(&self) -> &str {
        "fetch"
    }

    fn fills(&self) -> Option<&str> {
        Some(crate::fetch::DATASET)
    }

    fn version(&self) -> u32 {
        1
    }

    /// Delay and agent do not change what a page says.
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.politeness.body_cap)
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        Fetcher::of(cx)?.finish(cx).await
    }

    /// Hosts that are asked at once; each host is asked one thing at a time.
    fn workers(&self) -> usize {
        16
    }
}

impl Stage<Link> for Fetch {
    type Out = Page;

    async fn run(&self, link: Link, cx: &Context) -> Result<Page> {
        let url = Url::parse(&link.url)
            .or_park()
            .doing(format!("`{}` is no address", link.url))
            .map_err(|e| e.because("bad_url").help("write it with http:// or https://"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::park(format!(
                "`{}` is not fetched: only http and https are",
                link.url
            ))
            .because("bad_url"));
        }
        let from = link.found_on.as_deref().and_then(|from| Url::parse(from).ok());
        let ask = Ask {
            url: canonical(&url),
            known: cx.known::<Note>(cx.key()).await?.and_then(|(_, note)| note),
            // Named by a person, or found on the same host or on a private one.
            private: from.is_none_or(|from| from.host() == url.host() || is_private_host(&from)),
            purpose: Purpose::Item(cx.key().to_owned()),
        };
        let same = ask.known.as_ref().map(|note| note.content);
        match Fetcher::of(cx)?.visit(&ask, &self.politeness, cx).await? {
            Visit::Unchanged => Err(Error::unchanged()),
            Visit::New(visited) => {
                cx.observe(visited.note.content, Some(&visited.note)).await?;
                // A feed may call an entry new whose page is as it was.
                if same == Some(visited.note.content) {
                    return Err(Error::unchanged());
                }
                Ok(visited.page)
            }
        }
    }

    /// Only the address: a title or where it was found changes nothing.
    fn input(&self, link: &Link) -> Fingerprint {
        Fingerprint::of(&link.url)
    }

    fn replay(&self) -> Option<Arc<dyn Replay<Page>>> {
        Some(Arc::new(ArchivedPages::default()))
    }
}
