//! A source of links from RSS, Atom and JSON feeds.

use super::links::named;
use super::parse::{self, Entry};
use super::seed::{DEMO, seed};
use crate::fetch::canonical::{has_secret, scrub_reference};
use crate::fetch::{Ask, Fetcher, Link, Note, Politeness, Purpose, Visit, Visited};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_pipeline::run::in_run;
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
    /// A file with more of them, read at the beginning of each run.
    file: Option<PathBuf>,
    politeness: Politeness,
}

impl Feed {
    /// These feeds.
    pub fn list(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let urls = urls.into_iter().map(Into::into).collect();
        Self { urls, file: None, politeness: Politeness::default() }
    }

    /// The feeds that a file lists: one per line (`#` begins a remark), or OPML. It is read at the
    /// beginning of each run; a relative path is meant from where the program is started.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..Self::list(Vec::<String>::new()) }
    }

    /// The feeds of this run.
    fn feeds(&self) -> Result<Vec<String>> {
        let mut urls = self.urls.clone();
        if let Some(file) = &self.file {
            urls.extend(listed(file)?);
        }
        Ok(urls)
    }

    /// With this pause between two requests to one host.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.politeness.delay = delay;
        self
    }
}

/// What is kept of each feed between runs.
type Cursor = BTreeMap<String, Known>;

/// A feed as it was read last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Its validators; their `links` are the entries that were taken.
    pub(crate) note: Note,
    /// Entries that the first read left out, as they were then: only an update brings them in.
    pub(crate) skipped: BTreeMap<String, Fingerprint>,
}

/// Parts a feed's entries: those to take, and those that its first read leaves out. Entries with a
/// key or token in their address are in neither; they are counted.
pub(crate) fn part(
    entries: Vec<Entry>,
    known: Option<&Known>,
) -> (Vec<Entry>, BTreeMap<String, Fingerprint>, usize) {
    let all = entries.len();
    let mut open: Vec<Entry> = entries.into_iter().filter(|e| !has_secret(&e.url)).collect();
    let secret = all - open.len();
    let skipped = match known {
        Some(known) => known.skipped.clone(),
        None => {
            let older = open.iter().skip(FIRST_READ);
            older.map(|entry| (entry.url.to_string(), entry.content)).collect()
        }
    };
    open.retain(|entry| skipped.get(entry.url.as_str()) != Some(&entry.content));
    (open, skipped, secret)
}

impl Step for Feed {
    fn name(&self) -> &str {
        "feed"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(&self.urls, &self.file))
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        let feeds = self.feeds()?;
        if feeds.iter().any(|feed| feed.trim() == DEMO) {
            // A resumed run needs the bundled site's pages though it reads no feed again.
            seed(DEMO, cx)?;
        }
        Ok(Fingerprint::of(&feeds))
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        Fetcher::of(cx)?.finish(cx).await
    }
}

impl Source for Feed {
    type Item = Link;

    async fn read(&self, out: &Emit<Link>, cx: &Context) -> Result<()> {
        let mut cursor: Cursor = out.cursor().await?.unwrap_or_default();
        for url in &self.feeds()? {
            match self.read_one(url, &mut cursor, out, cx).await {
                Ok(Sent::Stop) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.verdict() == Verdict::Halt => return Err(error),
                Err(_) if cx.stopping() => return Ok(()), // the next run reads it again
                Err(error) => out.park_with(&scrub_reference(url), error, |_| Ok(())).await?,
            }
        }
        Ok(())
    }

    /// An address of an entry; or one of the feeds, then its newest entry.
    async fn single(&self, what: &str, cx: &Context) -> Result<Yielded<Link>> {
        if !self.feeds()?.iter().any(|feed| feed == what) {
            return named(what);
        }
        let url = seed(what, cx)?;
        let ask = Ask { known: None, url: url.clone(), private: true, purpose: Purpose::Listing };
        let visit = Fetcher::of(cx)?.visit(&ask, &self.politeness, cx).await?;
        let Visit::New(visited) = visit else { return named(what) };
        let Visited { page, body, .. } = *visited;
        let base = page.final_url.parse().unwrap_or(url);
        let read = in_run(move || parse::parse(&body, &base));
        let entries = tokio::task::spawn_blocking(read).await??;
        match entries.entries.into_iter().next() {
            Some(entry) => Ok(yielded(entry, &page.url)),
            None => Err(Error::halt(format!("{} has no entry", page.url)).because("empty_feed")),
        }
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
        let url = seed(text, cx)?;
        let before = cursor.get(url.as_str()).cloned();
        let known = before.as_ref().map(|known| known.note.clone());
        let ask = Ask { known, url: url.clone(), private: true, purpose: Purpose::Listing };
        let visit = Fetcher::of(cx)?.visit(&ask, &self.politeness, cx).await?;
        let Visit::New(visited) = visit else {
            let entries = before.map(|known| known.note.links);
            return same(url.as_str(), &entries.unwrap_or_default(), out, cx).await;
        };
        let Visited { page, note, body } = *visited;
        let base = page.final_url.parse().unwrap_or(url.clone());
        let read = in_run(move || parse::parse(&body, &base));
        let entries = tokio::task::spawn_blocking(read).await??.entries;
        let (entries, skipped, secret) = part(entries, before.as_ref());
        if secret > 0 {
            cx.say(format!(
                "{}: entries with a key or token in their address are left out",
                page.url
            ));
        }
        let links = entries.iter().map(|entry| entry.url.to_string()).collect();
        for entry in entries {
            if send(entry, &page.url, out).await? == Sent::Stop {
                return Ok(Sent::Stop);
            }
        }
        cursor.insert(url.to_string(), Known { note: Note { links, ..note }, skipped });
        out.save_cursor(cursor).await?;
        Ok(Sent::Yes)
    }
}

/// A feed that is as it was: so are its entries, but for those that did not get through yet.
async fn same(feed: &str, entries: &[String], out: &Emit<Link>, cx: &Context) -> Result<Sent> {
    for entry in entries {
        if cx.known::<Note>(entry).await?.is_some() {
            out.unchanged_with(entry, |_| Ok(())).await?;
            continue;
        }
        let found_on = Some(feed.to_string());
        let link = Link { url: entry.clone(), title: None, found_on };
        if out.send(Yielded::new(entry, link)).await? == Sent::Stop {
            return Ok(Sent::Stop);
        }
    }
    Ok(Sent::Unchanged)
}

async fn send(entry: Entry, feed: &str, out: &Emit<Link>) -> Result<Sent> {
    out.send(yielded(entry, feed)).await
}

fn yielded(entry: Entry, feed: &str) -> Yielded<Link> {
    let key = entry.url.to_string();
    let title = Some(entry.title).filter(|title| !title.is_empty());
    let link = Link { url: key.clone(), title, found_on: Some(feed.to_string()) };
    Yielded::new(key, link).content(entry.content)
}

/// The addresses in a file: OPML's `xmlUrl`s, else one per line; `#` begins a remark.
///
/// # Errors
/// *Halt* when the file cannot be read, or is OPML without feeds.
pub fn listed(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        Error::halt(format!("cannot read {}", file.display()))
            .because("seeds_unreadable")
            .caused_by(e)
            .help("name a file with one address per line, or OPML")
    })?;
    if text.trim_start().starts_with('<') {
        return super::opml(&text);
    }
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    Ok(lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_string).collect())
}
