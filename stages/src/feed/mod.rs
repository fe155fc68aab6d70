//! What is new? Feeds, lists of links, and sitemaps.

mod feeds;
mod links;
pub mod parse;
pub mod sitemap;


pub use feeds::Feed;
pub use links::Links;

pub(crate) use feeds::FIRST_READ;
pub(crate) use links::address;
