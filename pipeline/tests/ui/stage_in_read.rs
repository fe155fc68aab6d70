//! Mistake: a stage where a source is wanted.
//! Told: `Fetch` is not a source
//! Help: a stage comes after the source, in `.then(..)`

mod parts;
use parts::Fetch;
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Fetch);
}
