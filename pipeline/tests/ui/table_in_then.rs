//! Mistake: `.then(..)` for what belongs into `.store(..)`.
//! Told: `PageTable` cannot follow a step that yields `Page`
//! Help: a table into `.store(..)`

mod parts;
use parts::{Fetch, Links, PageTable};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).then(PageTable);
}
