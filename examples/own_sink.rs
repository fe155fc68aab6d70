//! This mill will: keep a plain list of what feeds link to, by a file sink of its own.
//!
//! Try it: `cargo run --example own_sink -- run`. Its test runs with all others.

use std::io::Write;
use tidemill::pipeline::sink::{FileSink, Saved, Sealing};
use tidemill::pipeline::tier::atomic::Staged;
use tidemill::prelude::*;

/// Writes one address per line.
struct Addresses;

impl Step for Addresses {
    fn name(&self) -> &str {
        "addresses"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl FileSink<Link> for Addresses {
    fn dataset(&self) -> &str {
        "addresses"
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<Link>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let mut file = Staged::create(&sealing.folder.join("addresses.txt"))?;
        for row in rows {
            writeln!(file, "{}", row?.item.url)?;
        }
        file.commit_over()?; // it appears whole, and once more after a crash
        Ok(vec!["addresses.txt".into()])
    }
}

/// The pipeline on a feed; `demo:` is a bundled one.
pub(crate) fn links(feed: &str) -> Job {
    Pipeline::named("links").read(Feed::list([feed])).save(Addresses).offload(Archive::at("nas"))
}

fn main() -> Outcome {
    Mill::at("data/own_sink").job(links("demo:")).main()
}

#[cfg(test)]
#[tokio::test]
async fn it_keeps_the_rules_of_file_sinks() -> Result<()> {
    use tidemill::pipeline::testing::{FileSinkSuite, Rig};
    FileSinkSuite::of(|| Addresses, ["a", "b"].map(Link::to)).check(&Rig::new()?).await
}
