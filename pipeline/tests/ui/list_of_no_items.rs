//! Mistake: a list of something that cannot travel.
//! Told: `Vec<Headline>` cannot travel between stages
//! Help: to it and to what it holds

mod parts;
use parts::{Fetch, Links, Page};
use tidemill_pipeline::{Pipeline, Result};

struct Headline {
    text: String,
}

async fn headlines(page: Page) -> Result<Vec<Headline>> {
    Ok(vec![Headline { text: page.0 }])
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).map(headlines);
}
