//! Mistake: an async closure that captures a handle; `.map_with(handle, ..)` clones it per item.
//! Told: async closure does not implement `Fn` because it captures state
//! Help: required by a bound in `Pipeline::<T>::map`

mod parts;
use parts::{Link, Links};
use tidemill_pipeline::Pipeline;

fn main() {
    let suffix = String::from("!");
    let _ =
        Pipeline::named("news").read(Links).map(async move |link: Link| Ok(Link(link.0 + &suffix)));
}
