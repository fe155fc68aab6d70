//! A web site on loopback that can misbehave: pages, feeds, sitemap, robots.txt, validators.

mod fault;
mod prose;
mod site;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::DateTime;
use hyper::body::Bytes;

use super::http::{Gate, Reply, Request, Server, Watched};
pub(crate) use fault::{BOMB_BYTES, Fault};
use site::{HTML, Pages, Resource};

/// A web site; dropping it stops it.
///
/// The methods that take and return `Self` set it up; those that take `&self` change a site that is
/// being read, or judge its reader.
pub(crate) struct FakeWeb {
    server: Server,
    site: Arc<Watched<Site>>,
}

#[derive(Default)]
struct Site {
    pages: Pages,
    robots: Option<String>,
    faults: HashMap<String, Fault>,
    no_validators: bool,
    latency: Duration,
    bodies: Arc<AtomicUsize>,
    not_modified: usize,
}

impl FakeWeb {
    /// A site with a robots.txt (all but `/private/` allowed), an index and empty feeds.
    pub(crate) fn start() -> Self {
        let site = Arc::new(Watched::<Site>::default());
        let answering = Arc::clone(&site);
        let server = Server::start(move |request| answering.with(|site| site.answer(request)));
        FakeWeb { server, site }
    }

    // Setting up

    /// An HTML page.
    pub(crate) fn page(self, path: &str, html: &str) -> Self {
        self.resource(path, HTML, html.to_owned())
    }

    /// Anything else: a PDF, a JSON feed, a page in another charset.
    pub(crate) fn resource(self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.site.with(|site| site.pages.put(path, content_type, body.into()));
        self
    }

    /// `/articles/1` to `/articles/n` (the newest), in the index, both feeds and the sitemap; each
    /// page also links to `/private/ledger`, which robots.txt forbids.
    pub(crate) fn site(self, n: usize) -> Self {
        self.grow(n);
        self
    }

    /// Another robots.txt.
    pub(crate) fn robots(self, text: &str) -> Self {
        self.site.with(|site| site.robots = Some(text.to_owned()));
        self
    }

    /// A robots.txt that always gives this status.
    pub(crate) fn robots_status(self, code: u16) -> Self {
        self.status("/robots.txt", code)
    }

    /// Neither `ETag` nor `Last-Modified`, hence never a 304.
    pub(crate) fn without_validators(self) -> Self {
        self.site.with(|site| site.no_validators = true);
        self
    }

    /// Every answer takes this long, so that [`FakeWeb::max_parallel`] sees who does not queue.
    pub(crate) fn latency(self, latency: Duration) -> Self {
        self.site.with(|site| site.latency = latency);
        self
    }

    /// Always this status.
    pub(crate) fn status(self, path: &str, code: u16) -> Self {
        self.with_fault(path, Fault::Status { code, retry_after: None, times: usize::MAX })
    }

    /// 429 with `Retry-After` so many times, then fine.
    pub(crate) fn retry_after(self, path: &str, seconds: u32, times: usize) -> Self {
        self.with_fault(path, Fault::Status { code: 429, retry_after: Some(seconds), times })
    }

    /// Closes the connection without an answer so many times, then fine.
    pub(crate) fn dropped(self, path: &str, times: usize) -> Self {
        self.with_fault(path, Fault::Dropped { times })
    }

    /// See [`Fault::Slow`]; a gate that nobody opens is a server that hangs.
    pub(crate) fn slow(self, path: &str, gate: &Gate) -> Self {
        self.with_fault(path, Fault::Slow(gate.clone()))
    }

    /// See [`Fault::Torn`].
    pub(crate) fn torn(self, path: &str, bytes: usize) -> Self {
        self.with_fault(path, Fault::Torn(bytes))
    }

    /// See [`Fault::Bomb`].
    pub(crate) fn bomb(self, path: &str) -> Self {
        self.with_fault(path, Fault::Bomb)
    }

    /// See [`Fault::Big`].
    pub(crate) fn big(self, path: &str, bytes: usize) -> Self {
        self.with_fault(path, Fault::Big(bytes))
    }

    /// See [`Fault::Redirect`].
    pub(crate) fn redirect(self, path: &str, to: &str) -> Self {
        self.with_fault(path, Fault::Redirect(to.to_owned()))
    }

    /// Redirects to `<path>/again`, and from there back.
    pub(crate) fn redirect_loop(self, path: &str) -> Self {
        let again = format!("{path}/again");
        self.redirect(path, &again).redirect(&again, path)
    }

    /// See [`Fault::InvalidUtf8`].
    pub(crate) fn invalid_utf8(self, path: &str) -> Self {
        self.with_fault(path, Fault::InvalidUtf8)
    }

    /// See [`Fault::Empty`].
    pub(crate) fn empty(self, path: &str) -> Self {
        self.with_fault(path, Fault::Empty)
    }

    fn with_fault(self, path: &str, fault: Fault) -> Self {
        self.fault(path, fault);
        self
    }

    // Changing

    /// A page is edited: new `ETag`, new `Last-Modified`, first in the feeds.
    pub(crate) fn change(&self, path: &str, html: &str) {
        self.site.with(|site| site.pages.put(path, HTML, html.to_owned().into()));
    }

    /// An article is rewritten in other words; the same seed gives the same words.
    pub(crate) fn revise(&self, number: usize, seed: u64) {
        self.site.with(|site| site.pages.write_article(number, seed));
    }

    /// New articles are published until there are `n`.
    pub(crate) fn grow(&self, n: usize) {
        self.site.with(|site| site.pages.grow(n));
    }

    /// A page vanishes: 404, and out of all lists.
    pub(crate) fn remove(&self, path: &str) {
        self.site.with(|site| site.pages.remove(path));
    }

    /// A path begins to misbehave.
    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.site.with(|site| site.faults.insert(path.to_owned(), fault));
    }

    /// A path behaves again.
    pub(crate) fn heal(&self, path: &str) {
        self.site.with(|site| site.faults.remove(path));
    }

    /// The whole site is unreachable until it comes back.
    pub(crate) fn go_away(&self) {
        self.server.go_away();
    }

    /// The site is reachable again, on the same port.
    pub(crate) fn come_back(&self) {
        self.server.come_back();
    }

    // Judging

    /// The URL of a path, which begins with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url() + path
    }

    /// How often a path was asked for, whatever the answer was.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.server.hits(path)
    }

    /// Blocks until a path was asked for `n` times.
    pub(crate) fn wait_for_hits(&self, path: &str, n: usize) {
        self.server.wait_for_hits(path, n);
    }

    /// Every request, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }

    /// HTML pages given out whole with status 200 (the index is one; feeds and faults are not).
    pub(crate) fn bodies(&self) -> usize {
        self.site.with(|site| site.bodies.load(Ordering::SeqCst))
    }

    /// Answers 304.
    pub(crate) fn not_modified(&self) -> usize {
        self.site.with(|site| site.not_modified)
    }

    /// The most requests that were ever unanswered at the same time.
    pub(crate) fn max_parallel(&self) -> usize {
        self.server.max_parallel()
    }

    /// The shortest time between the starts of two requests that followed each other.
    pub(crate) fn min_gap(&self) -> Option<Duration> {
        self.server.min_gap()
    }
}

impl Site {
    fn answer(&mut self, request: &Request) -> Reply {
        let instead = self.faults.get_mut(&request.path).and_then(Fault::instead);
        let reply = instead.unwrap_or_else(|| {
            let reply = self.right_answer(request);
            match self.faults.get(&request.path) {
                Some(fault) => fault.spoil(reply),
                None => reply,
            }
        });
        reply.delayed(self.latency)
    }

    fn right_answer(&mut self, request: &Request) -> Reply {
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        if request.path == "/robots.txt" {
            return Reply::full(200, "text/plain", self.robots_text(&origin));
        }
        let Some(resource) = self.pages.get(&request.path, &origin) else {
            return Reply::full(404, HTML, "<title>404</title><h1>Not found</h1>");
        };
        if self.no_validators {
            return self.body(&resource);
        }
        let reply = if is_fresh(request, &resource) {
            self.not_modified += 1;
            Reply::new(304)
        } else {
            self.body(&resource)
        };
        reply.header("etag", resource.etag()).header("last-modified", resource.last_modified())
    }

    fn body(&self, resource: &Resource) -> Reply {
        let reply = Reply::full(200, &resource.content_type, resource.body.clone());
        if !resource.content_type.starts_with("text/html") {
            return reply;
        }
        let bodies = Arc::clone(&self.bodies);
        reply.on_sent(move || {
            bodies.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn robots_text(&self, origin: &str) -> String {
        let default =
            || format!("User-agent: *\nDisallow: /private/\n\nSitemap: {origin}/sitemap.xml\n");
        self.robots.clone().unwrap_or_else(default)
    }
}

/// Whether the reader has this version already (RFC 9110, section 13.2.2: the tag goes before the
/// date).
fn is_fresh(request: &Request, resource: &Resource) -> bool {
    if let Some(tags) = request.header("if-none-match") {
        let etag = resource.etag();
        return tags.split(',').any(|tag| tag.trim() == etag || tag.trim() == "*");
    }
    let since = request.header("if-modified-since").map(DateTime::parse_from_rfc2822);
    matches!(since, Some(Ok(since)) if since >= resource.modified)
}
