//! Mistake: an `Rc` held across an await in a stage.
//! Told: future cannot be sent between threads safely
//! Help: has type `Rc<String>` which is not `Send`

#[macro_use]
mod parts;
use parts::Page;
use std::rc::Rc;
use tidemill_pipeline::{Context, Result, Stage};

struct Count;

step!(Count, "count");

impl Stage<Page> for Count {
    type Out = Page;

    async fn run(&self, page: Page, _cx: &Context) -> Result<Page> {
        let words = Rc::new(page.0);
        std::future::ready(()).await;
        Ok(Page(words.to_string()))
    }
}

fn main() {}
