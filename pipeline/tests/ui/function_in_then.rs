//! Mistake: a plain async fn in `.then(..)`, which remembers; plain functions go into `.map(..)`.
//! Told: cannot follow a step that yields `Link`
//! Help: a plain async fn goes into `.map(..)`

mod parts;
use parts::{Link, Links};
use tidemill_pipeline::{Pipeline, Result};

async fn shorten(link: Link) -> Result<Link> {
    Ok(link)
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(shorten);
}
