//! Digests and ids of records: the same content always gets the same.

use super::record::{Kind, date_text};
use chrono::{DateTime, Utc};
use sha1::{Digest, Sha1};

/// `sha1:` and the SHA-1 in Base32, as the common tools write digests.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("sha1:{}", base32(&Sha1::digest(bytes)))
}

/// An id that the same record always gets: a UUID of version 8 (RFC 9562 §5.8) from a hash.
pub(super) fn id_of(
    kind: &Kind,
    date: DateTime<Utc>,
    target: &str,
    headers: &[(String, String)],
    block: &[u8],
) -> String {
    let mut hasher = blake3::Hasher::new();
    let parts = [kind.as_str(), &date_text(date), target];
    let fields = headers.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    for part in parts.into_iter().chain(fields) {
        hasher.update(part.as_bytes()).update(b"\n");
    }
    hasher.update(block);
    let bits =
        hasher.finalize().as_bytes().iter().take(16).fold(0, |n, b| (n << 8) | u128::from(*b));
    let bits = (bits & !(0xf << 76)) | (0x8 << 76);
    let bits = (bits & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    format!("urn:uuid:{}", parts.join("-"))
}

/// Base32 of RFC 4648; a SHA-1 fills its last letter, so padding never comes up.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for five in bytes.chunks(5) {
        let bits = five.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let bits = bits << (8 * (5 - five.len()));
        for place in (0..(five.len() * 8).div_ceil(5)).map(|i| 35 - 5 * i) {
            let index = usize::try_from((bits >> place) & 31).unwrap_or_default();
            text.push(LETTERS.get(index).copied().map_or('A', char::from));
        }
    }
    text
}
