//! What is new? Feeds, lists of links, and sitemaps.

mod feeds;
mod links;
mod opml;
pub mod parse;
mod seed;
pub mod sitemap;

pub use feeds::{Feed, listed};
pub use links::Links;
pub use opml::opml;
pub use seed::check_seed;

pub(crate) use feeds::{Known, part};
pub(crate) use seed::seed;
