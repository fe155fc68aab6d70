//! Mistake: a function that is not async in `.map(..)`.
//! Told: `Result<Page, tidemill_pipeline::Error>` is not a future
//! Help: required by a bound in `Pipeline::<T>::map`

mod parts;
use parts::{Fetch, Links, Page};
use tidemill_pipeline::{Pipeline, Result};

fn shorten(page: Page) -> Result<Page> {
    Ok(page)
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).map(shorten);
}
