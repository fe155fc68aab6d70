//! This mill will: fetch the print version of each page, by a stage of its own, and keep its text.
//!
//! Try it: `cargo run --example own_stage -- run`. Its test runs with all others.

use tidemill::prelude::*;

/// Turns a page's address into that of its print version, which has this ending.
struct Printed(&'static str);

impl Step for Printed {
    fn name(&self) -> &str {
        "printed"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0)
    }
}

impl Stage<Link> for Printed {
    type Out = Link;

    async fn run(&self, link: Link, _cx: &Context) -> Result<Link> {
        if link.url.contains('?') {
            return Err(Error::park("a search has no print version").because("no_print"));
        }
        Ok(Link { url: link.url + self.0, ..link })
    }
}

/// The pipeline on these pages.
pub(crate) fn prints(urls: impl IntoIterator<Item = impl Into<String>>) -> Job {
    Pipeline::named("prints")
        .read(Links::of(urls))
        .then(Printed("/print"))
        .then(Fetch::politely())
        .then(Extract::article())
        .store(Table::named("prints").keyed_by("url"))
        .into()
}

fn main() -> Outcome {
    Mill::at("data/own_stage").job(prints(["https://example.org/article"])).main()
}

#[cfg(test)]
#[tokio::test]
async fn it_parks_searches_and_keeps_the_rules_of_stages() -> Result<()> {
    use tidemill::pipeline::testing::{Rig, StageSuite};
    let (rig, make) = (Rig::new()?, || Printed("/print"));
    let search = rig.stage(make(), Link::to("https://example.org/?q=tide")).await?;
    assert_eq!(search.result.unwrap_err().reason(), "no_print");
    StageSuite::of(make, ["https://a.org", "https://b.org"].map(Link::to)).check(&rig).await
}
