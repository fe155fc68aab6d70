//! Mistake: `.save(..)` for what belongs into `.store(..)`.
//! Told: `PageTable` cannot save `Page`
//! Help: tables are filled with `.store(..)`

mod parts;
use parts::{Fetch, Links, PageTable};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).save(PageTable);
}
