//! Mistake: a pipeline with a name and no source, given to a mill.
//! Told: `Unread` cannot travel between stages
//! Help: required for `Job` to implement `From<Pipeline<Unread>>`

mod parts;
use tidemill_pipeline::{Mill, Pipeline};

fn main() {
    let _ = Mill::at("mill").daily("06:00", Pipeline::named("news"));
}
