//! This mill will: read declared fields (by CSS selector) from every page of a site.
//!
//! Try it: `cargo run --example structured -- run`.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

/// One row of the `headings` table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Heading {
    url: String,
    title: Option<String>,
    links: u64,
}

async fn heading(mut page: Fields) -> Result<Heading> {
    let links = page.values.remove("links").unwrap_or_default().len() as u64;
    let title = page.values.remove("title").unwrap_or_default().into_iter().next();
    Ok(Heading { url: page.url, title, links })
}

/// The pipeline on a site.
pub(crate) fn headings(site: &str) -> Job {
    let fields = Select::new().text("title", "h1").attribute("links", "a[href]", "href");
    Pipeline::named("headings")
        .read(Crawl::site(site).depth(2).pages(50))
        .then(fields)
        .filter(|page| page.values.contains_key("title"))
        .map(heading)
        .store(Table::named("headings").keyed_by("url"))
        .into()
}

fn main() -> Outcome {
    Mill::at("data/structured").job(headings("https://doc.rust-lang.org/book/")).main()
}
