//! Which site can be scraped with no network at all? A small newspaper, bundled and served on loopback.

mod articles;
mod one_file;
mod pages;
mod port;
mod server;
#[cfg(test)]
mod tests;

pub use one_file::OneFile;
pub use port::{bind, port_for};
pub use server::DemoSite;
