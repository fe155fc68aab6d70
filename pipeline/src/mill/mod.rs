//! Where is the mill, whose is it, and what does it run?

mod blobs;
mod home;
mod lock;
mod mill;
mod resources;

pub use home::{Home, HomeOptions};
pub use mill::{Mill, Planned};

pub(crate) use resources::Resources;
