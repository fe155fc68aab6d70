//! One page that a person names, to be tried: fetched politely, without a frontier.

use super::site::Crawl;
use crate::feed::{parse, seed};
use crate::fetch::private::is_private_host;
use crate::fetch::sniff::{Kind, sniff};
use crate::fetch::{Ask, Fetcher, Page, Purpose, Visit, Visited};
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{Context, Error, Result, ResultExt, Yielded};
use url::Url;

/// The page at an address, the newest page of a feed, or a page as it was captured (its JSON form).
pub(super) async fn single(crawl: &Crawl, what: &str, cx: &Context) -> Result<Yielded<Page>> {
    if what.trim_start().starts_with('{') {
        let page: Page = serde_json::from_str(what).or_halt().doing("this is no page in JSON")?;
        return Ok(Yielded::new(page.url.clone(), page));
    }
    let url = seed(what, cx)?;
    let visited = visit(crawl, &url, true, cx).await?;
    let base = Url::parse(&visited.page.final_url)?;
    let visited = match sniff(visited.page.content_type.as_deref(), &visited.body) {
        Kind::Feed => {
            let read = in_run(move || parse::parse(&visited.body, &base));
            let entries = tokio::task::spawn_blocking(read).await??;
            let newest = entries.entries.into_iter().next().ok_or_else(|| {
                Error::halt("the feed has no entry").because("empty_feed").help("name a page")
            })?;
            cx.say(format!("{url} is a feed: its newest page is tried, {}", newest.url));
            let private = newest.url.host() == url.host() || is_private_host(&url);
            visit(crawl, &newest.url, private, cx).await?
        }
        Kind::Sitemap | Kind::SitemapIndex | Kind::SitemapText => {
            return Err(Error::halt(format!("{url} is a sitemap"))
                .because("usage")
                .help("name one of the pages that it lists"));
        }
        _ => visited,
    };
    let Visited { page, note, .. } = visited;
    Yielded::new(page.url.clone(), page).content(note.content).note(&note)
}

async fn visit(crawl: &Crawl, url: &Url, private: bool, cx: &Context) -> Result<Visited> {
    let purpose = Purpose::Page(url.to_string());
    let ask = Ask { url: url.clone(), known: None, private, purpose };
    match Fetcher::of(cx)?.visit(&ask, &crawl.politeness, cx).await? {
        Visit::New(visited) => Ok(*visited),
        // Only asked for once, and nothing is known of it: a site that says so makes no sense.
        Visit::Unchanged => Err(Error::park("the site says `not modified` to a first request")
            .because("http_304")
            .help("the site has a problem of its own; try again later")),
    }
}
