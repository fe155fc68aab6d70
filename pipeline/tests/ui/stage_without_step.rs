//! Mistake: a stage of one's own without `impl Step`.
//! Told: `Shorten` is not a step
//! Help: implement `Step` for `Shorten`: name, version and fingerprint

mod parts;
use parts::{Fetch, Links, Page};
use tidemill_pipeline::{Context, Pipeline, Result, Stage};

struct Shorten;

impl Stage<Page> for Shorten {
    type Out = Page;

    async fn run(&self, page: Page, _cx: &Context) -> Result<Page> {
        Ok(page)
    }
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).then(Shorten);
}
