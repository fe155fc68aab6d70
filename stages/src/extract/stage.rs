//! The extract stage: a page goes in, its readable part comes out.

use super::article::article;
use super::document::Document;
use crate::fetch::Page;
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{Context, Error, Fingerprint, Result, ResultExt, Stage, Step};
use url::Url;

/// Deeply nested pages need a deep stack; the parser runs on threads that have one.
const STACK: usize = 16 << 20;

/// Extracts the article of each page: text, markdown, title, language, date.
///
/// ```
/// use tidemill_stages::extract::Extract;
/// let extract = Extract::article();
/// # let _ = extract;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Extract(());

impl Extract {
    /// The article, or the whole text of pages that have none.
    #[must_use]
    pub fn article() -> Self {
        Self(())
    }
}

impl Step for Extract {
    fn name(&self) -> &str {
        "extract"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<Page> for Extract {
    type Out = Document;

    async fn run(&self, page: Page, cx: &Context) -> Result<Document> {
        let body = body_of(&page, cx).await?;
        let url = Url::parse(&page.final_url).or_park()?;
        let mut document = deep(move || article(&body, page.content_type.as_deref(), &url)).await?;
        // The row's key is the address that was asked for, wherever it led.
        document.url = page.url;
        Ok(document)
    }

    fn input(&self, page: &Page) -> Fingerprint {
        input(page)
    }
}

/// What an answer about a page depends on: its body, type and address, never when it was fetched.
pub(super) fn input(page: &Page) -> Fingerprint {
    Fingerprint::of(&(&page.body.blake3, &page.content_type, &page.final_url))
}

pub(super) async fn body_of(page: &Page, cx: &Context) -> Result<Vec<u8>> {
    page.read_body(cx).await
}

/// Runs the parser on a thread with a deep stack; a panic there parks the page.
async fn deep<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let parse = in_run(move || {
        // Nobody listens only when the run was stopped.
        let _ = tell.send(work());
    });
    std::thread::Builder::new().name("extract".into()).stack_size(STACK).spawn(parse)?;
    told.await.unwrap_or_else(|_| {
        Err(Error::park("the extractor panicked on this page")
            .because("extractor_panicked")
            .help("the page is kept in raw_scrapes; report it with its address"))
    })
}
