//! Mistake: reading a second source in the same pipeline.
//! Told: no method named `read` found for struct `Pipeline<T>`
//! Help: method not found in `Pipeline<Link>`

mod parts;
use parts::Links;
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).read(Links);
}
