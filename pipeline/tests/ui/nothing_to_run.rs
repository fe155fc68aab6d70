//! Mistake: a pipeline with a name and no source, given to a mill.
//! Told: the trait bound `Job: From<Unread>` is not satisfied
//! Help: but trait `From<Pipeline<_>>` is implemented for it

mod parts;
use tidemill_pipeline::{Mill, Pipeline};

fn main() {
    let _ = Mill::at("mill").daily("06:00", Pipeline::named("news"));
}
