//! Mistake: a dataset of pages where links pass.
//! Told: `PageFiles` cannot save `Link`
//! Help: but trait `FileSink<Page>` is implemented for it

mod parts;
use parts::{Links, PageFiles};
use tidemill_pipeline::Pipeline;

fn main() {
    let _ = Pipeline::named("news").read(Links).save(PageFiles);
}
