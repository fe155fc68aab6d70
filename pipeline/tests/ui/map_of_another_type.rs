//! Mistake: a function of pages in `.map(..)` where links pass.
//! Told: type mismatch in function arguments
//! Help: expected function signature `fn(Link) -> _`

mod parts;
use parts::{Links, Page};
use tidemill_pipeline::{Pipeline, Result};

async fn shorten(page: Page) -> Result<Page> {
    Ok(page)
}

fn main() {
    let _ = Pipeline::named("news").read(Links).map(shorten);
}
