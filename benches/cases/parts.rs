//! The item, the stage and the function that the cases share: next to no work of their own.

use crate::support::mill::Numbered;
use tidemill_pipeline::{Context, Fingerprint, Result, Stage, Step, Yielded};

/// The key of the item with this number.
pub(super) fn key(n: u64) -> String {
    format!("{n:08}")
}

/// The item with this number: a text of 24 bytes.
pub(super) fn item(n: u64) -> Yielded<String> {
    Yielded::new(key(n), format!("the text of {n:012}"))
}

/// So many items whose content nobody knows, handed over one by one.
pub(super) fn items(items: u64) -> Numbered<String> {
    Numbered { items, batch: 1, make: item }
}

/// Gives the text back as it was, from `.map`.
pub(super) async fn same(text: String) -> Result<String> {
    Ok(text)
}

/// Gives the text back in capitals, from `.then`.
#[derive(Debug)]
pub(super) struct Shout(pub(super) &'static str);

impl Step for Shout {
    fn name(&self) -> &str {
        self.0
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<String> for Shout {
    type Out = String;

    async fn run(&self, text: String, _cx: &Context) -> Result<String> {
        Ok(text.to_uppercase())
    }
}
