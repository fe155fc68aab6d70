//! Turns the articles into what the site serves: pages, front page, feed, site map, robots.txt.

use super::articles::{ARTICLES, Article};
use chrono::NaiveDate;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use quick_xml::escape::escape;
use std::collections::BTreeMap;
use tidemill_pipeline::Result;

const HTML: &str = "text/html; charset=utf-8";

/// Something the site serves, ready to send.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: HeaderValue,
    /// The strong entity tag: the hash of the body, so that the same text keeps its tag for ever.
    pub(super) etag: HeaderValue,
    pub(super) body: Bytes,
}

impl Resource {
    fn new(kind: &'static str, text: String) -> Result<Self> {
        let etag = format!("\"{}\"", blake3::hash(text.as_bytes()).to_hex());
        Ok(Self {
            kind: HeaderValue::from_static(kind),
            etag: HeaderValue::try_from(etag)?,
            body: Bytes::from(text),
        })
    }
}

/// The whole site: what lies under each path, and what is said about all other paths.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) pages: BTreeMap<String, Resource>,
    pub(super) missing: Resource,
}

impl Site {
    /// Renders everything; `base` is scheme and host without a slash at the end.
    pub(super) fn render(base: &str) -> Result<Self> {
        let mut pages = BTreeMap::new();
        let mut add = |path: &str, kind, text| -> Result<()> {
            pages.insert(path.to_owned(), Resource::new(kind, text)?);
            Ok(())
        };
        for (n, one) in ARTICLES.iter().enumerate() {
            add(&path_of(one), HTML, article(base, n, one))?;
        }
        add("/", HTML, plain("Front page", &front()))?;
        add("/about", HTML, plain("About this paper", include_str!("site/_about.html")))?;
        let private = plain("The ledger room", include_str!("site/_private.html"));
        add("/private/ledger-room", HTML, private)?;
        add("/style.css", "text/css; charset=utf-8", include_str!("site/style.css").to_owned())?;
        add("/robots.txt", "text/plain; charset=utf-8", robots(base))?;
        add("/feed.xml", "application/rss+xml; charset=utf-8", feed(base)?)?;
        add("/sitemap.xml", "application/xml; charset=utf-8", sitemap(base))?;
        let missing = plain("Page not found", include_str!("site/_missing.html"));
        Ok(Self { pages, missing: Resource::new(HTML, missing)? })
    }
}

fn path_of(article: &Article) -> String {
    format!("/articles/{}", article.slug)
}

fn link(article: &Article) -> String {
    let (path, title) = (path_of(article), escape(article.title));
    format!("<a href=\"{path}\" hreflang=\"{}\">{title}</a>", article.lang)
}

fn article(base: &str, n: usize, article: &Article) -> String {
    let newer = n.checked_sub(1).and_then(|n| ARTICLES.get(n));
    let older = ARTICLES.get(n + 1);
    let turn: Vec<String> = newer.into_iter().chain(older).map(link).collect();
    // Five others, so that each page has a different neighbourhood, as on a real site.
    let others = ARTICLES.iter().cycle().skip(n + 3).take(5);
    let sidebar: String = others.map(|other| format!("<li>{}</li>\n", link(other))).collect();
    format!(
        include_str!("site/_article.html"),
        base = base,
        slug = article.slug,
        lang = article.lang,
        title = escape(article.title),
        author = escape(article.author),
        date = article.date,
        lead = escape(article.lead),
        body = article.body.trim_end(),
        turn = turn.join(" · "),
        sidebar = sidebar,
    )
}

fn plain(title: &str, body: &str) -> String {
    format!(include_str!("site/_plain.html"), title = escape(title), body = body.trim_end())
}

fn front() -> String {
    let entry = |one: &Article| {
        let (lead, author) = (escape(one.lead), escape(one.author));
        let byline = format!("<span class=\"byline\">{author}, {}</span>", one.date);
        format!(
            "<h2 lang=\"{0}\">{1}</h2>\n<p lang=\"{0}\">{lead} {byline}</p>",
            one.lang,
            link(one)
        )
    };
    ARTICLES.iter().map(entry).collect::<Vec<_>>().join("\n")
}

/// RFC 9309, with one door that programs are asked not to open.
fn robots(base: &str) -> String {
    format!("User-agent: *\nDisallow: /private/\n\nSitemap: {base}/sitemap.xml\n")
}

/// RSS 2.0; the address serves as guid.
fn feed(base: &str) -> Result<String> {
    let items = ARTICLES.iter().map(|one| feed_item(base, one)).collect::<Result<String>>()?;
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\">\n<channel>\n\
         <title>The Slack Water Courier</title>\n<link>{base}/</link>\n\
         <description>A newspaper made up for the demonstration of tidemill</description>\n\
         <language>en</language>\n{items}</channel>\n</rss>\n"
    ))
}

fn feed_item(base: &str, one: &Article) -> Result<String> {
    let (title, lead) = (escape(one.title), escape(one.lead));
    let url = format!("{base}{}", path_of(one));
    let day = NaiveDate::parse_from_str(one.date, "%Y-%m-%d")?.format("%a, %d %b %Y");
    Ok(format!(
        "<item>\n<title>{title}</title>\n<link>{url}</link>\n\
         <guid isPermaLink=\"true\">{url}</guid>\n<pubDate>{day} 06:00:00 GMT</pubDate>\n\
         <description>{lead}</description>\n</item>\n"
    ))
}

/// The sitemaps.org protocol, version 0.9.
fn sitemap(base: &str) -> String {
    let entry = |one: &Article| {
        format!("<url><loc>{base}{}</loc><lastmod>{}</lastmod></url>\n", path_of(one), one.date)
    };
    let urls: String = ARTICLES.iter().map(entry).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{urls}</urlset>\n"
    )
}
