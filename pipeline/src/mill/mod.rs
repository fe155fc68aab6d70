//! Where is the mill, whose is it, and what does it run?

mod blobs;
mod builder;
mod home;
mod lock;
mod resources;

pub use builder::{Mill, Planned};
pub use home::{Home, HomeOptions};

pub(crate) use resources::Resources;
