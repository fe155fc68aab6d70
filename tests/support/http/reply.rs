//! What a fake server answers, and how the answer's body goes out piece by piece.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};

use super::gate::Gate;

/// Runs when a body has gone out.
pub(super) type Hook = Box<dyn FnOnce() + Send>;

/// A step in sending a body.
#[derive(Clone)]
pub(crate) enum Piece {
    /// Sent and flushed by itself, so the client sees the cut.
    Bytes(Bytes),
    /// Nothing more is sent until the gate lets this reply go.
    Wait(Gate),
    /// The connection breaks off.
    Tear,
}

/// What the server does about one request.
pub(crate) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) pieces: VecDeque<Piece>,
    pub(super) held_by: Option<Gate>,
    pub(super) delay: Duration,
    pub(super) dropped: bool,
    pub(super) on_sent: Option<Hook>,
}

impl Reply {
    /// A head with no body and no declared length.
    pub(crate) fn new(status: u16) -> Self {
        Reply {
            status,
            headers: Vec::new(),
            pieces: VecDeque::new(),
            held_by: None,
            delay: Duration::ZERO,
            dropped: false,
            on_sent: None,
        }
    }

    /// A whole body with its declared length.
    pub(crate) fn full(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Reply::new(status)
            .header("content-type", content_type)
            .header("content-length", body.len())
            .pieces([Piece::Bytes(body)])
    }

    /// Closes the connection without a word.
    pub(crate) fn dropped() -> Self {
        Reply { dropped: true, ..Reply::new(500) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Replaces the body; chunked unless a `content-length` was declared.
    pub(crate) fn pieces(mut self, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let empty = |piece: &Piece| matches!(piece, Piece::Bytes(bytes) if bytes.is_empty());
        self.pieces = pieces.into_iter().filter(|piece| !empty(piece)).collect();
        self
    }

    /// Sends only the first `n` bytes of what the head declares, then breaks off.
    pub(crate) fn torn_after(mut self, n: usize) -> Self {
        let whole = self.pieces.drain(..).filter_map(|piece| match piece {
            Piece::Bytes(bytes) => Some(bytes),
            Piece::Wait(_) | Piece::Tear => None,
        });
        let sent: Bytes = whole.flatten().take(n).collect();
        self.pieces([Piece::Bytes(sent), Piece::Tear])
    }

    /// Keeps even the head back until the gate lets this reply go.
    pub(crate) fn held_by(mut self, gate: Gate) -> Self {
        self.held_by = Some(gate);
        self
    }

    /// Takes this long before the head is sent.
    pub(crate) fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Runs as the last piece is handed to the socket: a client that has read all of the body
    /// always finds it done.
    pub(crate) fn on_sent(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.on_sent = Some(Box::new(hook));
        self
    }
}

/// Makes hyper close the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken off by the script")
    }
}

impl std::error::Error for BrokenOff {}

pub(super) type Body = UnsyncBoxBody<Bytes, BrokenOff>;

/// A body being sent; `held` is let go as its last piece is handed to the socket.
pub(super) struct Script<H> {
    pieces: VecDeque<Piece>,
    started: bool,
    last: Option<(H, Option<Hook>)>,
}

impl<H: Send + 'static> Script<H> {
    pub(super) fn body(pieces: VecDeque<Piece>, on_sent: Option<Hook>, held: H) -> Body {
        let mut script = Script { pieces, started: false, last: Some((held, on_sent)) };
        script.settle_at_end();
        StreamBody::new(stream::unfold(script, Script::next)).boxed_unsync()
    }

    async fn next(mut self) -> Option<(Result<Frame<Bytes>, BrokenOff>, Self)> {
        loop {
            if std::mem::replace(&mut self.started, true) {
                // A pause makes hyper flush the piece before.
                tokio::task::yield_now().await;
            }
            match self.pieces.pop_front()? {
                Piece::Bytes(bytes) => {
                    self.settle_at_end();
                    return Some((Ok(Frame::data(bytes)), self));
                }
                Piece::Wait(gate) => {
                    gate.pass().await;
                    self.settle_at_end();
                }
                Piece::Tear => return Some((Err(BrokenOff), self)),
            }
        }
    }

    fn settle_at_end(&mut self) {
        if !self.pieces.is_empty() {
            return;
        }
        if let Some((_, Some(hook))) = self.last.take() {
            hook();
        }
    }
}
