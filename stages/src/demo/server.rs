//! Serves the bundled site over HTTP/1.1, with entity tags and 304 as a well-kept site does.

use super::pages::{Resource, Site};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tidemill_pipeline::{Error, Result, ResultExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// How long to wait after a failed accept, most likely because file handles ran out.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// The bundled newspaper, served for as long as this value lives.
#[derive(Debug)]
pub struct DemoSite {
    base: String,
    task: JoinHandle<()>,
}

impl DemoSite {
    /// Starts to serve on this listener, as tasks of the current tokio runtime, which must have
    /// its I/O and its timer enabled.
    ///
    /// # Errors
    /// When the listener is not on a loopback address, or no runtime is there.
    pub fn start(listener: std::net::TcpListener) -> Result<Self> {
        let address = listener.local_addr().or_halt()?;
        if !address.ip().is_loopback() {
            return Err(Error::halt(format!("the demo site must not listen on {address}"))
                .because("demo_not_loopback")
                .help("bind 127.0.0.1: the site is for this computer only"));
        }
        let runtime =
            tokio::runtime::Handle::try_current().doing("starting the demo site").or_halt()?;
        listener.set_nonblocking(true).doing("starting the demo site").or_halt()?;
        let listener = TcpListener::from_std(listener).doing("starting the demo site").or_halt()?;
        let base = format!("http://{address}");
        let site = Site::render(&base).or_halt()?;
        let task = runtime.spawn(accept(listener, move |request| answer(&site, request)));
        Ok(Self { base, task })
    }

    /// The address of the front page, with a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/", self.base)
    }

    /// The address of the RSS feed, which lists all twelve articles.
    #[must_use]
    pub fn feed_url(&self) -> String {
        format!("{}/feed.xml", self.base)
    }
}

impl Drop for DemoSite {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts until it is aborted. The connections live in its set, so that they end with it.
pub(super) async fn accept<A>(listener: TcpListener, answer: A)
where
    A: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&answer)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the loopback site could not accept a connection");
                    tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<A>(stream: TcpStream, answer: Arc<A>)
where
    A: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        // The client went away or spoke no HTTP; it has seen that itself.
        tracing::debug!(%error, "a connection to the loopback site broke");
    }
}

fn answer<B>(site: &Site, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut reply = Response::new(Full::default());
        *reply.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    let Some(page) = site.pages.get(request.uri().path()) else {
        return full(StatusCode::NOT_FOUND, &site.missing);
    };
    if !matches(request.headers(), &page.etag) {
        return full(StatusCode::OK, page);
    }
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = StatusCode::NOT_MODIFIED;
    reply.headers_mut().insert(ETAG, page.etag.clone());
    reply
}

/// The answer with its body; hyper leaves the body out when the method is HEAD.
fn full(status: StatusCode, resource: &Resource) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(resource.body.clone()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, resource.kind.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if status == StatusCode::OK {
        headers.insert(ETAG, resource.etag.clone());
    }
    reply
}

/// Whether If-None-Match names this tag, by the weak comparison of RFC 9110, section 13.1.2.
fn matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .any(|tag| {
            let tag = tag.trim_ascii();
            tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes()
        })
}
