//! The crawl itself: take from the frontier, visit, yield, put what was found into the frontier.

use super::frontier::{self, Role, Spot};
use super::site::Crawl;
use crate::feed::{Known, parse, part, sitemap};
use crate::fetch::canonical::{has_secret, scrub_reference};
use crate::fetch::private::is_private_host;
use crate::fetch::sniff::{Kind, sniff};
use crate::fetch::{self, Ask, Fetcher, Note, Page, Purpose, Visit, Visited};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tidemill_pipeline::ledger::Tx;
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{Context, Emit, Error, Fingerprint, Result, Sent, Verdict, Yielded};
use url::Url;

/// Addresses in hand at once. Each host is asked one thing at a time all the same.
const IN_HAND: usize = 16;

/// What is kept of feeds between runs: they are no items and have no item memory. Sitemaps are read
/// anew each time, since their pages may change while they do not.
type Cursor = BTreeMap<String, Known>;

/// What one visit came to, for the loop.
enum Went {
    /// A page was taken: it counts.
    Page,
    /// Something else was done.
    Other,
    /// A feed was read whole: keep its validators and what it listed.
    Feed(String, Box<Known>),
    /// The run takes no more.
    Stop,
}

struct Work<'a> {
    crawl: &'a Crawl,
    out: &'a Emit<Page>,
    cx: &'a Context,
    run_no: i64,
    /// The hosts of the seeds, and those that they redirect to.
    hosts: Mutex<Vec<String>>,
}

pub(super) async fn read(crawl: &Crawl, out: &Emit<Page>, cx: &Context) -> Result<()> {
    let run_no = cx.run()?.no;
    let work = Work { crawl, out, cx, run_no, hosts: Mutex::default() };
    work.seed().await?;
    cx.ledger().write(64, move |tx| frontier::ask_again(tx, run_no)).await?;
    let mut cursor: Cursor = out.cursor().await?.unwrap_or_default();
    let mut taken = cx.ledger().read(move |read| frontier::pages(read, run_no)).await?;
    let work = &work;
    let (mut after, mut in_hand, mut stopped) = (0, FuturesUnordered::new(), false);
    loop {
        let room = IN_HAND.saturating_sub(in_hand.len());
        let left = crawl.pages.saturating_sub(taken + in_hand.len() as u64);
        let budget = if stopped { 0 } else { left };
        let count = u32::try_from(budget.min(room as u64)).unwrap_or(0);
        let queued = if count == 0 {
            Vec::new()
        } else {
            cx.ledger().flush().await?; // what was just found must be seen
            cx.ledger().read(move |read| frontier::next(read, run_no, after, count)).await?
        };
        for (ord, spot) in queued {
            after = ord;
            let known = cursor.get(&spot.url).cloned();
            in_hand.push(work.one(spot, known));
        }
        let Some(went) = in_hand.next().await else { return Ok(()) };
        match went? {
            Went::Page => taken += 1,
            Went::Other => {}
            Went::Feed(url, known) => {
                cursor.insert(url, *known);
                out.save_cursor(&cursor).await?;
            }
            Went::Stop => stopped = true, // what is in hand is brought to its end
        }
    }
}

impl Work<'_> {
    /// Puts the seeds into the frontier; those that are no addresses are parked.
    async fn seed(&self) -> Result<()> {
        let mut spots = Vec::new();
        for text in &self.crawl.seeds {
            match crate::feed::seed(text, self.cx) {
                Ok(url) => {
                    self.settle_on(&url);
                    spots.push(spot(&url, 0, Role::Seed, None));
                }
                Err(error) => {
                    self.out.park_with(&scrub_reference(text), error, |_| Ok(())).await?;
                }
            }
        }
        let run_no = self.run_no;
        self.cx.ledger().write(1024, move |tx| frontier::add(tx, run_no, &spots)).await
    }

    /// Visits one address; an error of this address alone is written down and the crawl goes on.
    async fn one(&self, spot: Spot, listing: Option<Known>) -> Result<Went> {
        match self.visit(&spot, listing).await {
            Err(error) if error.verdict() == Verdict::Halt => Err(error),
            Err(_) if self.cx.stopping() => Ok(Went::Stop),
            Err(error) => {
                let (run_no, url, reason) =
                    (self.run_no, spot.url.clone(), error.reason().to_string());
                let settle = move |tx: &Tx<'_>| frontier::settle(tx, run_no, &url, &reason);
                // What a person or a feed named is listed as parked; a dead link is only noted.
                if spot.role == Role::Link {
                    self.cx.ledger().write(128, settle).await?;
                } else {
                    self.out.park_with(&spot.url, error, settle).await?;
                }
                Ok(Went::Other)
            }
            went => went,
        }
    }

    async fn visit(&self, spot: &Spot, listing: Option<Known>) -> Result<Went> {
        if let Some(note) = self.out.taken::<Note>(&spot.url).await? {
            // It waited since an earlier run, or was sent before a kill: only its links are needed.
            let found = note.map(|note| self.deeper(spot, &note.links)).unwrap_or_default();
            self.settle(spot, "page", found).await?;
            return Ok(Went::Page);
        }
        let url = Url::parse(&spot.url)?;
        let known = self.cx.known::<Note>(&spot.url).await?.and_then(|(_, note)| note);
        if let Some(note) =
            known.as_ref().filter(|note| note.entry.is_some() && note.entry == spot.entry)
        {
            // The feed says that the entry is as it was: the site is not even asked.
            return self.unchanged(spot, note.links.clone()).await;
        }
        let from = spot.found_on.as_deref().and_then(|from| Url::parse(from).ok());
        let ask = Ask {
            known: listing.as_ref().map(|known| known.note.clone()).or_else(|| known.clone()),
            // A host that a person named may be a private one, and so may what a private one lists.
            private: self.is_inside(&url) || from.is_some_and(|f| is_private_host(&f)),
            purpose: Purpose::Page(spot.url.clone()),
            url,
        };
        match Fetcher::of(self.cx)?.visit(&ask, &self.crawl.politeness, self.cx).await? {
            Visit::New(visited) => self.page(spot, *visited, listing).await,
            Visit::Unchanged => match (listing, known) {
                (Some(feed), _) => self.same_feed(spot, &feed.note.links).await,
                (None, Some(note)) => self.unchanged(spot, note.links).await,
                (None, None) => {
                    self.settle(spot, "unchanged", Vec::new()).await.map(|()| Went::Other)
                }
            },
        }
    }

    async fn unchanged(&self, spot: &Spot, links: Vec<String>) -> Result<Went> {
        let found = self.deeper(spot, &links);
        let (run_no, url) = (self.run_no, spot.url.clone());
        let own = move |tx: &Tx<'_>| {
            frontier::settle(tx, run_no, &url, "unchanged")?;
            frontier::add(tx, run_no, &found)
        };
        self.out.unchanged_with(&spot.url, own).await?;
        Ok(Went::Page)
    }

    async fn page(&self, spot: &Spot, visited: Visited, listing: Option<Known>) -> Result<Went> {
        let Visited { page, note, body } = visited;
        let base = Url::parse(&page.final_url)?;
        if spot.role == Role::Seed {
            self.settle_on(&base); // `example.org` is often `www.example.org`
        }
        match sniff(page.content_type.as_deref(), &body) {
            Kind::Feed if spot.role == Role::Seed => {
                let entries = blocking(move || parse::parse(&body, &base)).await?.entries;
                let (entries, skipped, _) = part(entries, listing.as_ref());
                let links = entries.iter().map(|entry| entry.url.to_string()).collect();
                let spots = entries.iter().map(|entry| Spot {
                    entry: Some(entry.content),
                    ..self::spot(&entry.url, 0, Role::Entry, Some(&spot.url))
                });
                self.settle(spot, "feed", spots.collect()).await?;
                let known = Known { note: Note { links, ..note }, skipped };
                Ok(Went::Feed(spot.url.clone(), Box::new(known)))
            }
            Kind::Sitemap | Kind::SitemapIndex | Kind::SitemapText if spot.role != Role::Link => {
                let hosts = self.hosts();
                let (spots, flaw) = blocking(move || places(&body, &base, &hosts)).await?;
                if let Some(flaw) = flaw {
                    self.cx.say(format!("{}: the sitemap is read only in part: {flaw}", spot.url));
                }
                self.settle(spot, "sitemap", spots).await?;
                Ok(Went::Other)
            }
            Kind::Html => {
                let content_type = page.content_type.clone();
                let links = blocking(move || {
                    let text = fetch::decode(&body, content_type.as_deref()).text;
                    Ok(fetch::links(&text, &base))
                })
                .await?;
                self.emit(spot, page, note, links).await
            }
            Kind::Text => self.emit(spot, page, note, Vec::new()).await,
            other => Err(Error::park(format!("{other:?} is no page that can be read as text"))
                .because("unsupported_type")
                .help("leave it out; documents of this kind are not read")),
        }
    }

    async fn emit(&self, spot: &Spot, page: Page, mut note: Note, links: Vec<Url>) -> Result<Went> {
        // Kept whatever the depth is now: a later run may go deeper and find the page unchanged.
        note.links = links
            .iter()
            .filter(|url| self.is_inside(url) && !has_secret(url))
            .map(Url::to_string)
            .collect();
        note.entry = spot.entry;
        let found = self.deeper(spot, &note.links);
        let (run_no, url) = (self.run_no, spot.url.clone());
        let yielded = Yielded::new(&spot.url, page).content(note.content).note(&note)?;
        let own = move |tx: &Tx<'_>| {
            frontier::settle(tx, run_no, &url, "page")?;
            frontier::add(tx, run_no, &found)
        };
        match self.out.send_with(yielded, own).await? {
            Sent::Stop => Ok(Went::Stop),
            Sent::Yes | Sent::Unchanged | Sent::Again => Ok(Went::Page),
        }
    }

    /// Whether an address is on the host of a seed.
    fn is_inside(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| self.hosts().iter().any(|seed| seed == host))
    }

    fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The crawl is at home on this address's host.
    fn settle_on(&self, url: &Url) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = url.host_str().filter(|host| !hosts.iter().any(|h| h == host)) {
            hosts.push(host.to_string());
        }
    }

    /// What the links of a page add to the frontier.
    fn deeper(&self, spot: &Spot, links: &[String]) -> Vec<Spot> {
        if spot.depth >= self.crawl.depth {
            return Vec::new();
        }
        let urls = links.iter().filter_map(|link| Url::parse(link).ok());
        urls.filter(|url| !has_secret(url))
            .map(|url| self::spot(&url, spot.depth + 1, Role::Link, Some(&spot.url)))
            .collect()
    }

    /// A feed that is as it was: so are its entries, but for those that did not get through yet.
    async fn same_feed(&self, spot: &Spot, entries: &[String]) -> Result<Went> {
        let mut open = Vec::new();
        for entry in entries {
            if self.cx.known::<Note>(entry).await?.is_some() {
                self.out.unchanged_with(entry, |_| Ok(())).await?;
            } else if let Ok(url) = Url::parse(entry) {
                open.push(self::spot(&url, 0, Role::Entry, Some(&spot.url)));
            }
        }
        self.settle(spot, "unchanged_feed", open).await?;
        Ok(Went::Other)
    }

    async fn settle(&self, spot: &Spot, outcome: &'static str, found: Vec<Spot>) -> Result<()> {
        let (run_no, url) = (self.run_no, spot.url.clone());
        let own = move |tx: &Tx<'_>| {
            frontier::settle(tx, run_no, &url, outcome)?;
            frontier::add(tx, run_no, &found)
        };
        self.cx.ledger().write(1024, own).await
    }
}

/// The pages of a sitemap on the seeds' hosts and the sitemaps that it lists; and its flaw, if it has one.
fn places(body: &[u8], base: &Url, hosts: &[String]) -> Result<(Vec<Spot>, Option<String>)> {
    let map = sitemap::parse(body, base)?;
    let inside = |url: &Url| {
        !has_secret(url) && url.host_str().is_some_and(|h| hosts.iter().any(|s| s == h))
    };
    let all = map.sitemaps.into_iter().chain(map.pages.into_iter().map(|(url, _)| url));
    let spots = all.filter(inside).map(|url| spot(&url, 0, Role::Entry, Some(base.as_str())));
    Ok((spots.collect(), map.flaw))
}

fn spot(url: &Url, depth: u32, role: Role, found_on: Option<&str>) -> Spot {
    let entry: Option<Fingerprint> = None;
    Spot { url: url.to_string(), depth, role, found_on: found_on.map(str::to_string), entry }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(in_run(work)).await?
}
