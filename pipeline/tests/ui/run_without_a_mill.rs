//! Mistake: running a pipeline by itself; it is a value, and a mill runs it.
//! Told: no method named `run` found for struct `Pipeline<T>`
//! Help: method not found in `Pipeline<Page>`

mod parts;
use parts::{Fetch, Links};
use tidemill_pipeline::Pipeline;

fn main() {
    Pipeline::named("news").read(Links).then(Fetch).run();
}
