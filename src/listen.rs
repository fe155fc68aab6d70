//! An optional listener of `serve`: `/healthz` for who watches it, `/metrics` for Prometheus.

use crate::health::Health;
use crate::metrics;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::{Error, Result, ResultExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

/// So many connections at the same time; others wait.
const CONNECTIONS: usize = 32;
/// The head of a request must be there by then.
const HEAD: Duration = Duration::from_secs(5);
/// A connection, which has one request, ends by then.
const WHOLE: Duration = Duration::from_secs(30);
/// Numbers are read again after this, whoever wrote or did not.
const OLD: Duration = Duration::from_secs(300);
/// How long to wait after a failed accept, most likely because file handles ran out.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// What the answers are made of.
struct Shared {
    home: Arc<Home>,
    health: Health,
    /// Whether only this machine can ask; then it is asked by no other name.
    loopback: bool,
    /// One reads the ledger for numbers, the others wait for their turn; as long as nobody writes,
    /// what was read stays true, and counting a million keys four times a minute is no idling.
    numbers: Arc<Mutex<Option<Read>>>,
}

/// The numbers as they were read, and how the ledger's log was just before.
struct Read {
    log: Option<(u64, SystemTime)>,
    at: Instant,
    text: String,
}

impl Read {
    fn is_true(&self, log: Option<(u64, SystemTime)>) -> bool {
        log.is_some() && self.log == log && self.at.elapsed() < OLD
    }
}

impl Listener {
    /// Refuses an address that others can reach, unless that is allowed; to be asked before
    /// anything is opened.
    ///
    /// # Errors
    /// `listen_public` when others can reach the address and that was not allowed.
    pub fn check(address: SocketAddr, allow_public: bool) -> Result<()> {
        if allow_public || is_loopback(address) {
            return Ok(());
        }
        Err(Error::halt(format!("others can reach {address}, and there is no password"))
            .because("listen_public")
            .help("listen on 127.0.0.1, or say that you mean it with --listen-public with --listen-public"))
    }

    /// Listens, as tasks of the current tokio runtime. There is no password: an address that others
    /// can reach needs `allow_public`.
    ///
    /// # Errors
    /// `listen_public` when others can reach the address and that was not allowed, `listen` when
    /// it cannot be had.
    pub fn start(
        address: SocketAddr,
        allow_public: bool,
        home: Arc<Home>,
        health: Health,
    ) -> Result<Self> {
        Self::check(address, allow_public)?;
        let loopback = is_loopback(address);
        let listener = bind(address).map_err(|error| {
            Error::halt(format!("cannot listen on {address}")).because("listen").caused_by(error)
        })?;
        let address = listener.local_addr().or_halt()?;
        let runtime =
            tokio::runtime::Handle::try_current().doing("starting a listener").or_halt()?;
        let shared = Shared { home, health, loopback, numbers: Arc::default() };
        let task = runtime.spawn(accept(listener, Arc::new(shared)));
        Ok(Self { address, task })
    }

    /// The address, with the port that it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Accepts until it is aborted. The connections live in its set, so that they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Closed it is never: it lives here.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    serve(stream, shared).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the listener could not accept a connection");
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(WHOLE, connection).await {
        Ok(Ok(())) => {}
        // The other side went away or spoke no HTTP; it has seen that itself.
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the listener broke"),
        Err(_) => tracing::debug!("a connection to the listener took too long"),
    }
}

async fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if let Err(status) = asked_by_name(shared.loopback, request) {
        return text(status, "this is not the host that was asked for\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    match request.uri().path() {
        "/healthz" => healthz(&shared.health),
        "/metrics" => numbers(shared).await,
        _ => text(StatusCode::NOT_FOUND, "/healthz or /metrics\n"),
    }
}

/// A page in a browser may have its own name lead here (DNS rebinding): on loopback only what
/// cannot be such a name is answered, an IP address or `localhost`.
fn asked_by_name<B>(loopback: bool, request: &Request<B>) -> Result<(), StatusCode> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    if hosts.next().is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    // What stands in the request line counts more (RFC 9112, section 3.2.2).
    let host = request.uri().authority().map_or(host, |authority| authority.as_str());
    let ours = !loopback || is_no_name(host);
    ours.then_some(()).ok_or(StatusCode::MISDIRECTED_REQUEST)
}

fn is_no_name(host: &str) -> bool {
    let has_port = |(_, port): &(&str, &str)| port.chars().all(|c| c.is_ascii_digit());
    let name = host.rsplit_once(':').filter(has_port).map_or(host, |(name, _)| name);
    if let Some(inner) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
    }
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4())
}

fn healthz(health: &Health) -> Response<Full<Bytes>> {
    let (status, body) = match health.is_well() {
        true => (StatusCode::OK, "{\"status\":\"ok\"}\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"no sign of life\"}\n"),
    };
    reply(status, "application/json", body)
}

async fn numbers(shared: &Shared) -> Response<Full<Bytes>> {
    let mut last = Arc::clone(&shared.numbers).lock_owned().await;
    let home = Arc::clone(&shared.home);
    // A task of its own: the turn is over when the ledger was read, not when who asked has left.
    let read = tokio::spawn(async move {
        let log = home.ledger().log();
        if let Some(last) = last.as_ref().filter(|last| last.is_true(log)) {
            return Ok(last.text.clone());
        }
        let text = metrics::text(&home).await?;
        *last = Some(Read { log, at: Instant::now(), text: text.clone() });
        Ok::<_, Error>(text)
    });
    match read.await {
        Ok(Ok(numbers)) => reply(StatusCode::OK, metrics::CONTENT_TYPE, numbers),
        Ok(Err(error)) => {
            tracing::warn!(error = error.message(), "the numbers could not be read");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read: see the log\n")
        }
        Err(error) => {
            tracing::error!(%error, "the numbers could not be read");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read: see the log\n")
        }
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    reply(status, "text/plain; charset=utf-8", body)
}

/// hyper leaves the body out when the method is HEAD.
fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_no_names() {
        for host in ["127.0.0.1", "127.0.0.1:9464", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]"]
        {
            assert!(is_no_name(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:80", "", ":80", "127.0.0.1.nip.io", "::1"]
        {
            assert!(!is_no_name(host), "{host}");
        }
    }
}
