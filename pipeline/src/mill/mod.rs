//! Where is the mill, whose is it, and what does it run?

pub(crate) mod blobs;
mod builder;
mod home;
mod lane;
pub(crate) mod lock;
mod owner;
mod resources;

pub use builder::{Mill, Planned};
pub use home::{Home, HomeOptions};
pub use owner::Owner;

pub(crate) use resources::Resources;
