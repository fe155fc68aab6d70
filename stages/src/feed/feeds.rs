//! A source of links from RSS, Atom and JSON feeds.

use super::links::{address, secret};
use super::parse::{self, Entry};
use crate::fetch::canonical::has_secret;
use crate::fetch::{Ask, Fetcher, Link, Note, Politeness, Visit};
use std::collections::BTreeMap;
use std::time::Duration;
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Result, Sent, Source, Step, Verdict, Yielded,
};

/// A feed that is read for the first time gives its newest entries only.
pub(crate) const FIRST_READ: usize = 20;

/// Reads feeds and yields a link for each entry that is new or was updated.
///
/// What a feed's first read yields is its 20 newest entries. A feed that cannot be read is listed
/// as parked; the others go on.
///
/// ```
/// use tidemill_stages::feed::Feed;
/// let feeds = Feed::list(["https://lwn.net/headlines/rss"]);
/// # let _ = feeds;
/// ```
#[derive(Debug, Clone)]
pub struct Feed {
    urls: Vec<String>,
    politeness: Politeness,
}

impl Feed {
    /// These feeds.
    pub fn list(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let urls = urls.into_iter().map(Into::into).collect();
        Self { urls, politeness: Politeness::default() }
    }

    /// With this pause between two requests to one host.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.politeness.delay = delay;
        self
    }
}

/// What is kept of each feed between runs.
type Cursor = BTreeMap<String, Note>;

impl Step for Feed {
    fn name(&self) -> &str {
        "feed"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.urls)
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        Fetcher::of(cx)?.finish(cx).await
    }
}

impl Source for Feed {
    type Item = Link;

    async fn read(&self, out: &Emit<Link>, cx: &Context) -> Result<()> {
        let mut cursor: Cursor = out.cursor().await?.unwrap_or_default();
        for url in &self.urls {
            match self.read_one(url, &mut cursor, out, cx).await {
                Ok(Sent::Stop) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.verdict() == Verdict::Halt || cx.stopping() => {
                    return Err(error);
                }
                Err(error) => out.park_with(url, error, |_| Ok(())).await?,
            }
        }
        Ok(())
    }
}

impl Feed {
    async fn read_one(
        &self,
        text: &str,
        cursor: &mut Cursor,
        out: &Emit<Link>,
        cx: &Context,
    ) -> Result<Sent> {
        let url = address(text)?;
        let ask = Ask { known: cursor.get(url.as_str()).cloned(), url: url.clone(), private: true };
        let visit = Fetcher::of(cx)?.visit(&ask, &self.politeness, cx).await?;
        let Visit::Page { page, note, body } = visit else { return Ok(Sent::Unchanged) };
        let base = page.final_url.parse().unwrap_or(url.clone());
        let mut entries =
            tokio::task::spawn_blocking(move || parse::parse(&body, &base)).await??.entries;
        if !cursor.contains_key(url.as_str()) {
            entries.truncate(FIRST_READ);
        }
        for entry in entries {
            if send(entry, &page.url, out).await? == Sent::Stop {
                return Ok(Sent::Stop);
            }
        }
        cursor.insert(url.to_string(), note);
        out.save_cursor(cursor).await?;
        Ok(Sent::Yes)
    }
}

async fn send(entry: Entry, feed: &str, out: &Emit<Link>) -> Result<Sent> {
    let key = entry.url.to_string();
    if has_secret(&entry.url) {
        let shown = crate::fetch::canonical::scrubbed(&entry.url).to_string();
        let error: Error = secret();
        out.park_with(&shown, error, |_| Ok(())).await?;
        return Ok(Sent::Yes);
    }
    let title = Some(entry.title).filter(|title| !title.is_empty());
    let link = Link { url: key.clone(), title, found_on: Some(feed.to_string()) };
    out.send(Yielded::new(key, link).content(entry.content)).await
}
