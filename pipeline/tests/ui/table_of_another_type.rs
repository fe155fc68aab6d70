//! Mistake: a table for pages where links pass.
//! Told: `PageTable` cannot store `Link`
//! Help: but trait `LedgerSink<Page>` is implemented for it

mod parts;
use parts::{Links, PageTable};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).store(PageTable);
}
