//! What does a person read in the morning? One self-contained HTML page per run.

mod entry;
mod escape;
mod page;
mod sink;
#[cfg(test)]
mod tests;

pub use sink::HtmlPage;
