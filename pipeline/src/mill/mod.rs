//! Where is the mill, whose is it, and what does it run?

mod blobs;
mod builder;
mod home;
mod lock;
pub mod orders;
mod owner;
mod resources;

pub use builder::{Mill, Planned};
pub use home::{Home, HomeOptions};
pub use orders::Order;
pub use owner::Owner;

pub(crate) use resources::Resources;
