//! Mistake: an item of one's own without the derives that let it travel.
//! Told: `Headline` cannot travel between stages
//! Help: add `#[derive(Debug, Clone, Serialize, Deserialize)]`

mod parts;
use parts::{Fetch, Links, Page};
use tidemill_pipeline::{Pipeline, Result};

struct Headline {
    text: String,
}

async fn headline(page: Page) -> Result<Headline> {
    Ok(Headline { text: page.0 })
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).map(headline);
}
