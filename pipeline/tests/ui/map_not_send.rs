//! Mistake: an `Rc` held across an await in `.map(..)`.
//! Told: future cannot be sent between threads safely
//! Help: has type `Rc<String>` which is not `Send`

mod parts;
use parts::{Fetch, Links, Page};
use std::rc::Rc;
use tidemill_pipeline::{Pipeline, Result};

async fn count(page: Page) -> Result<Page> {
    let words = Rc::new(page.0);
    std::future::ready(()).await;
    Ok(Page(words.to_string()))
}

fn main() {
    let _ = Pipeline::named("news").read(Links).then(Fetch).map(count);
}
