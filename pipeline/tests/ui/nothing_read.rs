//! Mistake: a stage before anything is read.
//! Told: the method `then` exists for struct `Pipeline<Unread>`
//! Help: doesn't satisfy

mod parts;
use parts::Fetch;
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").then(Fetch);
}
