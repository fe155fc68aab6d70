//! The error of a suite: its reason is the name of the rule that is broken.

use crate::{Error, Item, Result};

/// A broken rule, what was seen, and what to do about it.
pub(super) fn breach(rule: &str, seen: impl Into<String>, cure: &str) -> Error {
    Error::halt(seen).because(rule).help(cure)
}

/// The value as it comes back from its JSON text, as the ledger keeps it.
pub(super) fn through_json<T: Item>(value: &T) -> Result<T> {
    Ok(serde_json::from_slice(&serde_json::to_vec(value)?)?)
}

/// Why a value is another one when it comes back from its JSON text; `None` when it is the same.
pub(super) fn lost_in_json<T: Item>(value: &T) -> Option<String> {
    let back = match through_json(value) {
        Ok(back) => back,
        Err(error) => return Some(format!("cannot be read back from its JSON text: {error}")),
    };
    match (serde_json::to_value(value), serde_json::to_value(&back)) {
        (Ok(before), Ok(after)) if before == after => None,
        (Ok(before), Ok(after)) => Some(format!("was {before} and comes back as {after}")),
        (Err(error), _) | (_, Err(error)) => Some(format!("has no JSON form: {error}")),
    }
}

/// A few of many, for a message.
pub(super) fn some_of<'a>(all: impl IntoIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 3;
    let mut all = all.into_iter();
    let shown: Vec<_> = all.by_ref().take(SHOWN).map(|one| format!("`{one}`")).collect();
    match all.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
