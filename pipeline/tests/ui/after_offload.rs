//! Mistake: a table after the offload, which ends a pipeline.
//! Told: no method named `store` found for struct `Job`
//! Help: method `store` is available on `Pipeline<Page>`

mod parts;
use parts::{Fetch, Links, PageTable};
use tidemill_pipeline::{Archive, Pipeline};

fn main() {
    let _ = Pipeline::named("news")
        .read(Links)
        .then(Fetch)
        .offload(Archive::at("nas"))
        .store(PageTable);
}
