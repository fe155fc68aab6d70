//! What the fake site says: its pages, feeds, sitemap and robots.txt, written out as text.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use hyper::body::Bytes;

use super::prose::Prose;

pub(super) const HTML: &str = "text/html; charset=utf-8";

/// When the first page of every fake site was written: 2026-01-05 06:00 UTC.
const FIRST_EDIT: DateTime<Utc> = DateTime::from_timestamp(1_767_592_800, 0).unwrap();

/// Something with an address.
#[derive(Clone)]
pub(super) struct Resource {
    pub(super) content_type: String,
    pub(super) body: Bytes,
    pub(super) modified: DateTime<Utc>,
}

impl Resource {
    pub(super) fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.body.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    pub(super) fn last_modified(&self) -> String {
        self.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    fn title(&self) -> String {
        let html = String::from_utf8_lossy(&self.body);
        let title = html.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        title.map_or_else(|| "Untitled".to_owned(), |(title, _)| title.to_owned())
    }
}

/// The pages of a site; every edit is an hour later than the one before.
#[derive(Default)]
pub(super) struct Pages {
    pages: BTreeMap<String, Resource>,
    articles: usize,
    edits: i32,
}

impl Pages {
    pub(super) fn put(&mut self, path: &str, content_type: &str, body: Bytes) {
        let modified = FIRST_EDIT + TimeDelta::hours(self.edits.into());
        self.edits += 1;
        let resource = Resource { content_type: content_type.to_owned(), body, modified };
        self.pages.insert(path.to_owned(), resource);
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.pages.remove(path);
    }

    /// Adds articles until there are `n` of them, and a page that robots.txt forbids.
    pub(super) fn grow(&mut self, n: usize) {
        self.put("/private/ledger", HTML, "<title>Ledger</title><p>For our eyes only.</p>".into());
        let first_new = self.articles + 1;
        self.articles = n;
        for number in first_new..=n {
            self.write_article(number, number as u64);
        }
    }

    /// Writes an article, whose words depend on the seed.
    pub(super) fn write_article(&mut self, number: usize, seed: u64) {
        let html = article(number, self.articles, &Prose::seeded(seed));
        self.put(&format!("/articles/{number}"), HTML, html.into());
    }

    /// A page, or one of the lists of pages that the site makes by itself.
    pub(super) fn get(&self, path: &str, origin: &str) -> Option<Resource> {
        if let Some(page) = self.pages.get(path) {
            return Some(page.clone());
        }
        let (content_type, body) = match path {
            "/" => (HTML, self.index()),
            "/feed.xml" => ("application/rss+xml", self.rss(origin)),
            "/atom.xml" => ("application/atom+xml", self.atom(origin)),
            "/sitemap.xml" => ("application/xml", self.sitemap(origin)),
            _ => return None,
        };
        let modified = self.newest_first().first().map_or(FIRST_EDIT, |(_, page)| page.modified);
        Some(Resource { content_type: content_type.to_owned(), body: body.into(), modified })
    }

    fn newest_first(&self) -> Vec<(&str, &Resource)> {
        let articles = self.pages.iter().filter(|(path, _)| path.starts_with("/articles/"));
        let mut list: Vec<_> = articles.map(|(path, page)| (path.as_str(), page)).collect();
        list.sort_by_key(|(_, page)| std::cmp::Reverse(page.modified));
        list
    }

    fn list(&self, line: impl Fn(&str, &str, &Resource) -> String) -> String {
        let lines = self.newest_first().into_iter();
        lines.map(|(path, page)| line(path, &page.title(), page)).collect()
    }

    fn index(&self) -> String {
        let links =
            self.list(|path, title, _| format!("<li><a href=\"{path}\">{title}</a></li>\n"));
        page("The Fake Gazette", "", &format!("<h1>The Fake Gazette</h1>\n<ul>\n{links}</ul>"))
    }

    fn rss(&self, origin: &str) -> String {
        let items = self.list(|path, title, page| {
            let date = page.modified.to_rfc2822();
            format!(
                "<item><title>{title}</title><link>{origin}{path}</link>\
                 <guid isPermaLink=\"true\">{origin}{path}</guid><pubDate>{date}</pubDate></item>\n"
            )
        });
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel>\
             <title>The Fake Gazette</title><link>{origin}/</link>\
             <description>News of the tides</description>\n{items}</channel></rss>\n"
        )
    }

    fn atom(&self, origin: &str) -> String {
        let entries = self.list(|path, title, page| {
            let date = stamp(page.modified);
            format!(
                "<entry><id>{origin}{path}</id><title>{title}</title>\
                 <link href=\"{origin}{path}\"/><updated>{date}</updated></entry>\n"
            )
        });
        let newest = self.newest_first().first().map_or(FIRST_EDIT, |(_, page)| page.modified);
        let updated = stamp(newest);
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <feed xmlns=\"http://www.w3.org/2005/Atom\">\
             <id>{origin}/</id><title>The Fake Gazette</title><updated>{updated}</updated>\n\
             {entries}</feed>\n"
        )
    }

    fn sitemap(&self, origin: &str) -> String {
        let urls = self.list(|path, _, page| {
            let date = stamp(page.modified);
            format!("<url><loc>{origin}{path}</loc><lastmod>{date}</lastmod></url>\n")
        });
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{urls}</urlset>\n"
        )
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn article(number: usize, of: usize, prose: &Prose) -> String {
    let neighbour = |name: &str, n: usize| format!("<a href=\"/articles/{n}\">{name}</a> ");
    let mut links = String::new();
    if number > 1 {
        links += &neighbour("Previous", number - 1);
    }
    if number < of {
        links += &neighbour("Next", number + 1);
    }
    let paragraphs: String = prose.paragraphs.iter().map(|p| format!("<p>{p}</p>\n")).collect();
    let title = format!("{} ({number})", prose.title);
    page(&title, &links, &format!("<article>\n<h1>{title}</h1>\n{paragraphs}</article>"))
}

/// The frame around every page: what an extractor must throw away.
fn page(title: &str, links: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"author\" content=\"A. Fake\"></head>\n<body>\n\
         <header><nav><a href=\"/\">Home</a> <a href=\"/private/ledger\">Staff</a> {links}</nav>\
         </header>\n\
         <main>\n{main}\n</main>\n\
         <footer><p>All rights pretended. We use cookies. Subscribe to our letter.</p></footer>\n\
         </body>\n</html>\n"
    )
}
