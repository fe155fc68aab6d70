//! What does a page say? The article without its surroundings, as text and markdown.

mod article;
#[cfg(test)]
mod benchmark;
mod document;
mod fields;
mod quality;
mod stage;

pub use article::article;
pub use document::Document;
pub use fields::{Fields, Select};
pub use stage::Extract;
