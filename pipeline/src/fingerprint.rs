//! Fingerprints: what an answer depends on, in 32 bytes of BLAKE3.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A BLAKE3 hash of everything that an output depends on.
///
/// Two equal fingerprints mean: the same answer would come out. Leave out what does not change
/// the answer (worker counts, addresses, times), put in what does (options, prompts, model ids).
///
/// ```
/// use tidemill_pipeline::Fingerprint;
/// let a = Fingerprint::of(&("summarise", 80));
/// assert_eq!(a, Fingerprint::of(&("summarise", 80)));
/// assert_ne!(a, a.and(&"other prompt"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// For a step without any setting that changes its output.
    #[must_use]
    pub fn nothing() -> Self {
        Self::of_bytes(b"")
    }

    /// Of bytes, for instance a page's body.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Of any serde value, by its JSON text with the keys of maps in order.
    ///
    /// A value that has no JSON form (a map with keys that are not strings) is fingerprinted by
    /// the error text; give such values a form that has one.
    #[must_use]
    pub fn of(value: &(impl Serialize + ?Sized)) -> Self {
        // Through `Value`, whose maps are sorted: a `HashMap` is no other content in another order.
        match serde_json::to_value(value) {
            Ok(json) => Self::of_bytes(json.to_string().as_bytes()),
            Err(error) => Self::of_bytes(error.to_string().as_bytes()),
        }
    }

    /// This fingerprint and one more value.
    #[must_use]
    pub fn and(self, value: &(impl Serialize + ?Sized)) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(&Self::of(value).0);
        Self(*hasher.finalize().as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 32 bytes; `None` when there are not 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// 64 hexadecimal characters.
    #[must_use]
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..12])
    }
}

impl From<Fingerprint> for String {
    fn from(value: Fingerprint) -> Self {
        value.to_hex()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(value: String) -> Result<Self, String> {
        blake3::Hash::from_hex(&value)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|e| format!("`{value}` is no fingerprint: {e}"))
    }
}
