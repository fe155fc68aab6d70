//! `Crawl`: a source of pages, from seeds that may be pages, feeds or sitemaps.

use super::{frontier, read, single};
use crate::fetch::{ArchivedPages, Fetcher, Page, Politeness};
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Context, Emit, Fingerprint, Replay, Result, Source, Step, Yielded};

/// Crawls politely and yields pages. It stays on the hosts of its seeds.
///
/// A seed is recognised by its content: a feed or a sitemap yields the pages that it lists, a page
/// yields itself and, down to `depth`, what it links to on the same host. The frontier is in the
/// ledger: after a kill the crawl goes on, and no page that was captured is fetched again.
///
/// ```
/// use tidemill_stages::crawl::Crawl;
/// let site = Crawl::site("https://example.org/").depth(3).pages(500);
/// # let _ = site;
/// ```
#[derive(Debug, Clone)]
pub struct Crawl {
    pub(super) seeds: Vec<String>,
    pub(super) depth: u32,
    pub(super) pages: u64,
    pub(super) politeness: Politeness,
}

impl Crawl {
    /// One site, three links deep, at most 1 000 pages, unless told otherwise.
    pub fn site(url: impl Into<String>) -> Self {
        Self::seeds([url]).depth(3)
    }

    /// The seeds only, unless a depth is given.
    pub fn seeds(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            seeds: urls.into_iter().map(Into::into).collect(),
            depth: 0,
            pages: 1000,
            politeness: Politeness::default(),
        }
    }

    /// Follows links this far; 0 means the seeds only.
    #[must_use]
    pub fn depth(mut self, links: u32) -> Self {
        self.depth = links;
        self
    }

    /// Takes at most this many pages in one run.
    #[must_use]
    pub fn pages(mut self, n: u64) -> Self {
        self.pages = n;
        self
    }

    /// With this pause between two requests to one host; a longer `Crawl-delay` still counts.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.politeness.delay = delay;
        self
    }
}

impl Step for Crawl {
    fn name(&self) -> &str {
        "crawl"
    }

    fn fills(&self) -> Option<&str> {
        Some(crate::fetch::DATASET)
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(&self.seeds, self.depth, self.pages))
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        Fetcher::of(cx)?.finish(cx).await
    }
}

impl Source for Crawl {
    type Item = Page;

    async fn read(&self, out: &Emit<Page>, cx: &Context) -> Result<()> {
        frontier::ensure(cx.ledger()).await?;
        read::read(self, out, cx).await
    }

    /// An address of a page, or of a feed: then its newest page.
    async fn single(&self, what: &str, cx: &Context) -> Result<Yielded<Page>> {
        single::single(self, what, cx).await
    }

    fn replay(&self) -> Option<Arc<dyn Replay<Page>>> {
        Some(Arc::new(ArchivedPages::default()))
    }
}
