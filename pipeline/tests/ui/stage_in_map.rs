//! Mistake: a stage in `.map(..)`, which takes plain functions.
//! Told: expected a `Fn(Link)` closure, found `Fetch`
//! Help: required by a bound in `Pipeline::<T>::map`

mod parts;
use parts::{Fetch, Links};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).map(Fetch);
}
