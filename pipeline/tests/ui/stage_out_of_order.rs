//! Mistake: a stage that does not take what the step before it yields.
//! Told: `Fetch` cannot follow a step that yields `Page`
//! Help: but trait `Stage<Link>` is implemented for it

mod parts;
use parts::{Fetch, Links};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).then(Fetch);
}
