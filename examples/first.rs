//! This mill will: fetch a few pages and keep how many words each has. No model, no archive.
//!
//! Try it: `cargo run --example first -- run`.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

/// One row of the `words` table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Words {
    url: String,
    title: String,
    words: u64,
}

async fn count(page: Document) -> Result<Words> {
    if page.words == 0 {
        return Err(Error::park("the page has no words").help("leave it out"));
    }
    Ok(Words { url: page.url, title: page.title, words: page.words })
}

/// The pipeline on these addresses.
pub(crate) fn words(urls: impl IntoIterator<Item = impl Into<String>>) -> Job {
    Pipeline::named("words")
        .read(Links::of(urls))
        .then(Fetch::politely())
        .then(Extract::article())
        .map(count)
        .store(Table::named("words").keyed_by("url"))
        .into()
}

fn main() -> Outcome {
    let pages = ["https://www.rust-lang.org/", "https://www.rust-lang.org/learn"];
    Mill::at("data/first").job(words(pages)).main()
}
