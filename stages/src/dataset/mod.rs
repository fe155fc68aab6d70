//! Which files does a run leave for other programs and for people?

mod html;
#[cfg(feature = "dataset")]
mod parquet;

pub use html::HtmlPage;
#[cfg(feature = "dataset")]
pub use parquet::Parquet;
