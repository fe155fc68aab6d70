//! Which pages does a site have? A frontier in the ledger, so that a killed crawl goes on.

mod frontier;
mod read;
mod single;
mod site;

pub use site::Crawl;
