//! Mistake: a stage of one's own that yields what cannot be cloned.
//! Told: the trait bound `Headline: Clone` is not satisfied
//! Help: consider annotating `Headline` with `#[derive(Clone)]`

#[macro_use]
mod parts;
use parts::Page;
use serde::{Deserialize, Serialize};
use tidemill_pipeline::{Context, Result, Stage};

#[derive(Debug, Serialize, Deserialize)]
struct Headline;

struct Shorten;

step!(Shorten, "shorten");

impl Stage<Page> for Shorten {
    type Out = Headline;

    async fn run(&self, _page: Page, _cx: &Context) -> Result<Headline> {
        Ok(Headline)
    }
}

fn main() {}
