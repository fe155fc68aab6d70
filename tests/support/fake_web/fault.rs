//! What can be wrong with a path of the fake site.
#![expect(clippy::unwrap_used, reason = "tests")]

use flate2::{Compress, Compression, Crc, FlushCompress};
use hyper::body::Bytes;

use super::super::http::{Gate, Piece, Reply};
use super::site::HTML;

/// Bytes that come out of [`Fault::Bomb`].
pub(crate) const BOMB_BYTES: usize = 200 << 20;

/// A way to misbehave; the newest fault of a path counts.
#[derive(Clone)]
pub(crate) enum Fault {
    /// This status, with `Retry-After` in seconds, for so many requests; then all is well.
    Status { code: u16, retry_after: Option<u32>, times: usize },
    /// The connection is closed without an answer for so many requests; then all is well.
    Dropped { times: usize },
    /// The right answer, held back by the gate.
    Slow(Gate),
    /// The right head, but only the first bytes of the body.
    Torn(usize),
    /// A page of about 200 kB of gzip that inflates to [`BOMB_BYTES`].
    Bomb,
    /// A page of so many bytes, sent in pieces with no length declared.
    Big(usize),
    /// 302 to this path or URL.
    Redirect(String),
    /// A page that says it is UTF-8 and is not.
    InvalidUtf8,
    /// 200 and nothing.
    Empty,
}

impl Fault {
    /// The reply in place of the right one; nothing for the faults that only spoil that one.
    pub(super) fn instead(&mut self) -> Option<Reply> {
        match self {
            Fault::Status { times: 0, .. } | Fault::Dropped { times: 0 } => None,
            Fault::Slow(_) | Fault::Torn(_) => None,
            Fault::Status { code, retry_after, times } => {
                *times -= 1;
                let reply = Reply::full(*code, HTML, format!("<h1>{code}</h1>"));
                Some(match retry_after {
                    Some(seconds) => reply.header("retry-after", *seconds),
                    None => reply,
                })
            }
            Fault::Dropped { times } => {
                *times -= 1;
                Some(Reply::dropped())
            }
            Fault::Bomb => {
                Some(Reply::full(200, HTML, gzip_bomb()).header("content-encoding", "gzip"))
            }
            Fault::Big(bytes) => {
                Some(Reply::new(200).header("content-type", HTML).pieces(filler(*bytes)))
            }
            Fault::Redirect(to) => Some(Reply::full(302, HTML, "").header("location", to)),
            Fault::InvalidUtf8 => Some(Reply::full(
                200,
                HTML,
                &b"<title>caf\xe9</title><p>na\xefve \xff\xc3\x28</p>"[..],
            )),
            Fault::Empty => Some(Reply::full(200, HTML, "")),
        }
    }

    /// The right reply, spoilt.
    pub(super) fn spoil(&self, reply: Reply) -> Reply {
        match self {
            Fault::Slow(gate) => reply.held_by(gate.clone()),
            Fault::Torn(n) => reply.torn_after(*n),
            _ => reply,
        }
    }
}

/// A page's worth of words, `bytes` long.
fn filler(mut bytes: usize) -> impl Iterator<Item = Piece> {
    let block = Bytes::from("<p>water under the bridge</p>\n".repeat(2048));
    std::iter::from_fn(move || {
        let piece = block.slice(..bytes.min(block.len()));
        bytes -= piece.len();
        (!piece.is_empty()).then_some(Piece::Bytes(piece))
    })
}

/// A gzip member of zeros (RFC 1951, 1952): one block deflated once and written many times, which a
/// full flush allows since nothing after it looks back.
fn gzip_bomb() -> Vec<u8> {
    const BLOCK: usize = 1 << 20;
    let zeros = vec![0; BLOCK];
    let mut deflated = Vec::with_capacity(BLOCK);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate.compress_vec(&zeros, &mut deflated, FlushCompress::Full).unwrap();
    let mut block_sum = Crc::new();
    block_sum.update(&zeros);

    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut sum = Crc::new();
    for _ in 0..BOMB_BYTES / BLOCK {
        bomb.extend_from_slice(&deflated);
        sum.combine(&block_sum);
    }
    bomb.extend([0x03, 0x00]); // an empty last block
    bomb.extend(sum.sum().to_le_bytes());
    bomb.extend((BOMB_BYTES as u32).to_le_bytes());
    bomb
}
