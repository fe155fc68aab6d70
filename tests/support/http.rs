//! What every fake server stands on: scripted HTTP over loopback, gates that hold it, judges.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod gate;
mod reply;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

pub(crate) use gate::{Gate, Watched};
use reply::{Body, BrokenOff, Script};
pub(crate) use reply::{Piece, Reply};

/// How long a port may be in use that was free a moment ago.
const PATIENCE: Duration = Duration::from_secs(5);

/// One request as the server saw it.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What follows the `?`, or nothing.
    pub(crate) query: String,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
    /// 1 for the first request of this path.
    pub(crate) nth: usize,
    /// When its head had arrived.
    pub(crate) at: Instant,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a server remembers for its judges.
#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    hits: HashMap<String, usize>,
    in_flight: usize,
    max_in_flight: usize,
    connections: usize,
}

struct Shared {
    handler: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    log: Watched<Log>,
}

/// A scripted server with a thread and a runtime of its own; dropping it stops it.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

enum State {
    Up { stop: oneshot::Sender<Infallible>, thread: JoinHandle<()> },
    // Bound but not listening: clients are refused, and nobody else gets the port.
    Away { _reserved: TcpSocket },
    Gone,
}

impl Server {
    /// Listens on a free loopback port. The handler runs on the server's thread: it must not block.
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let socket = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = socket.local_addr().unwrap();
        let shared = Arc::new(Shared { handler: Box::new(handler), log: Watched::default() });
        let state = Mutex::new(listen(socket, Arc::clone(&shared)));
        Server { address, shared, state }
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection and refuses new ones; nothing else changes.
    pub(crate) fn go_away(&self) {
        let mut state = self.state();
        state.stop();
        *state = State::Away { _reserved: reserve(self.address) };
    }

    /// Listens again on the same port, if it was away.
    pub(crate) fn come_back(&self) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Gone) {
            State::Away { _reserved: socket } => listen(socket, Arc::clone(&self.shared)),
            other => other,
        };
    }

    /// Every request, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.log.with(|log| log.requests.clone())
    }

    /// How often a path was asked for.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.shared.log.with(|log| log.hits.get(path).copied().unwrap_or(0))
    }

    /// Blocks until a path was asked for `n` times.
    pub(crate) fn wait_for_hits(&self, path: &str, n: usize) {
        let reached = |log: &Log| log.hits.get(path).copied().unwrap_or(0) >= n;
        self.shared.log.wait(&format!("{n} requests of {path}"), reached);
    }

    /// The most requests that were ever unanswered at the same time.
    pub(crate) fn max_parallel(&self) -> usize {
        self.shared.log.with(|log| log.max_in_flight)
    }

    /// The shortest time between two requests that followed each other.
    pub(crate) fn min_gap(&self) -> Option<Duration> {
        self.shared.log.with(|log| {
            log.requests.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at)).min()
        })
    }

    /// Blocks until every connection is closed that was made before this call: what clients that
    /// are gone had sent is read and counted. Needs that no living client keeps one open.
    pub(crate) fn settle(&self) {
        // Connections are taken in order: once this one is answered, all before it are counted.
        let mut last = std::net::TcpStream::connect(self.address).unwrap();
        last.write_all(b"GET /settle HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .unwrap();
        last.read_to_end(&mut Vec::new()).unwrap();
        drop(last);
        self.shared.log.wait("closed connections", |log| log.connections == 0);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state().stop();
    }
}

impl State {
    fn stop(&mut self) {
        if let State::Up { stop, thread } = std::mem::replace(self, State::Gone) {
            drop(stop);
            assert!(thread.join().is_ok() || std::thread::panicking(), "a fake server panicked");
        }
    }
}

fn reserve(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // Connections in TIME_WAIT must not keep a server from coming back.
    socket.set_reuseaddr(true).unwrap();
    let begun = Instant::now();
    while let Err(error) = socket.bind(address) {
        // A process that another test is just starting holds a copy of the socket that was closed
        // here, until it has become another program.
        let copied = error.kind() == ErrorKind::AddrInUse && begun.elapsed() < PATIENCE;
        assert!(copied, "cannot bind {address}: {error}");
        std::thread::yield_now();
    }
    socket
}

fn listen(socket: TcpSocket, shared: Arc<Shared>) -> State {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = {
        let _inside = runtime.enter();
        socket.listen(1024).expect("cannot listen")
    };
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = accept(listener, shared) => {}
            }
        });
    });
    State::Up { stop, thread }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.expect("cannot accept");
        shared.log.with(|log| log.connections += 1);
        tokio::spawn(serve(stream, Open(Arc::clone(&shared))));
    }
}

/// Counts a connection as open for as long as it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.log.with(|log| log.connections -= 1);
    }
}

async fn serve(stream: TcpStream, open: Open) {
    let shared = &open.0;
    stream.set_nodelay(true).unwrap();
    let service = service_fn(move |request| answer(Arc::clone(shared), request));
    // A broken connection is either the client's doing or what the script asked for.
    // A client that is gone has still asked: what it sent is read to its end.
    let _ = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, BrokenOff> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.collect().await.map_err(|_| BrokenOff)?.to_bytes(),
        nth: 0,
        at,
    };
    let (request, in_flight) = InFlight::enter(&shared, request);
    let reply = (shared.handler)(&request);
    if let Some(gate) = &reply.held_by {
        gate.pass().await;
    }
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    if reply.dropped {
        return Err(BrokenOff);
    }
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    Ok(response.body(Script::body(reply.pieces, reply.on_sent, in_flight)).unwrap())
}

/// Counts a request as unanswered for as long as it lives.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn enter(shared: &Arc<Shared>, mut request: Request) -> (Request, Self) {
        let request = shared.log.with(|log| {
            let hits = log.hits.entry(request.path.clone()).or_default();
            *hits += 1;
            request.nth = *hits;
            log.requests.push(request.clone());
            log.in_flight += 1;
            log.max_in_flight = log.max_in_flight.max(log.in_flight);
            request
        });
        (request, InFlight(Arc::clone(shared)))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.log.with(|log| log.in_flight -= 1);
    }
}
