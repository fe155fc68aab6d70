//! Mistake: an item that borrows its text.
//! Told: `Headline` cannot travel between stages
//! Help: an item owns what it holds

mod parts;
use parts::{Fetch, Links, Page};
use serde::Serialize;
use tidemill_pipeline::{Pipeline, Result};

#[derive(Debug, Clone, Serialize)]
struct Headline {
    text: &'static str,
}

async fn headline(_page: Page) -> Result<Headline> {
    Ok(Headline { text: "ebb" })
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).map(headline);
}
