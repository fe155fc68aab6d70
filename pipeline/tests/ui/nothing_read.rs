//! Mistake: a stage before anything is read.
//! Told: no method named `then` found for struct `Unread`
//! Help: method not found in `Unread`

mod parts;
use parts::Fetch;
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").then(Fetch);
}
