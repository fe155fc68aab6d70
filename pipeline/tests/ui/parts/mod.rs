//! The parts that every case puts together wrongly; `compile_errors.rs` puts them together rightly.

use serde::{Deserialize, Serialize};
use tidemill_pipeline::ledger::{Read, Tx};
use tidemill_pipeline::sink::{Origin, Saved, Sealing, Write};
use tidemill_pipeline::{Context, Emit, FileSink, LedgerSink, Result, Source, Stage};

/// Where a page is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Link(pub(crate) String);

/// What was there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Page(pub(crate) String);

/// Reads links.
#[derive(Debug)]
pub(crate) struct Links;

/// Turns a link into a page.
#[derive(Debug)]
pub(crate) struct Fetch;

/// A table of pages.
#[derive(Debug)]
pub(crate) struct PageTable;

/// A dataset of pages.
#[derive(Debug)]
pub(crate) struct PageFiles;

/// A step without settings.
macro_rules! step {
    ($part:ident, $name:literal) => {
        impl tidemill_pipeline::Step for $part {
            fn name(&self) -> &str {
                $name
            }

            fn version(&self) -> u32 {
                1
            }

            fn fingerprint(&self) -> tidemill_pipeline::Fingerprint {
                tidemill_pipeline::Fingerprint::nothing()
            }
        }
    };
}

step!(Links, "links");
step!(Fetch, "fetch");
step!(PageTable, "page-table");
step!(PageFiles, "page-files");

impl Source for Links {
    type Item = Link;

    async fn read(&self, _out: &Emit<Link>, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

impl Stage<Link> for Fetch {
    type Out = Page;

    async fn run(&self, link: Link, _cx: &Context) -> Result<Page> {
        Ok(Page(link.0))
    }
}

impl LedgerSink<Page> for PageTable {
    fn check(&self, _read: &Read<'_>) -> Result<()> {
        Ok(())
    }

    fn stage(&self, _page: &Page, _origin: Origin) -> Result<Write> {
        Ok(Box::new(|_tx| Ok(())))
    }

    fn publish(&self, _tx: &Tx<'_>, _origin: &Origin) -> Result<u64> {
        Ok(0)
    }

    fn table(&self) -> &str {
        "pages"
    }
}

impl FileSink<Page> for PageFiles {
    fn dataset(&self) -> &str {
        "pages"
    }

    fn seal(
        &self,
        _pages: &mut dyn Iterator<Item = Result<Saved<Page>>>,
        _sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}
