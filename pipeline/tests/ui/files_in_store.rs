//! Mistake: `.store(..)` for what belongs into `.save(..)`.
//! Told: `PageFiles` cannot store `Page`
//! Help: files are written with `.save(..)`

mod parts;
use parts::{Fetch, Links, PageFiles};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).store(PageFiles);
}
