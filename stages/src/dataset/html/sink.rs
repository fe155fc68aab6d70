//! The sink that seals the page.

use super::entry::Entry;
use super::page::Page;
use std::io::Write as _;
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::tier::atomic::Staged;
use tidemill_pipeline::{FileSink, Fingerprint, Item, Result, ResultExt as _, Step};

/// The name of the file.
const FILE: &str = "digest.html";

/// Saves a run as one page for people: `digest.html`, complete in itself, for phone, desk and TV.
///
/// Of each item it reads, by name, `url`, `title`, `summary`, `language`, `published`, `method`
/// and `model`; an item without a summary is shown as a list of its fields. Text of strangers is
/// escaped; the page runs no script and loads nothing, and says so in its content security policy.
/// Up to 1 000 items are shown, and the page says how many there are besides. A run without
/// items leaves no page.
#[derive(Debug, Clone)]
pub struct HtmlPage {
    dataset: String,
}

impl HtmlPage {
    /// A page beside the other files of this dataset, for instance `llm_summaries`.
    #[must_use]
    pub fn dataset(name: impl Into<String>) -> Self {
        Self { dataset: name.into() }
    }
}

impl Step for HtmlPage {
    fn name(&self) -> &str {
        "html_page"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.dataset)
    }
}

impl<T: Item> FileSink<T> for HtmlPage {
    fn dataset(&self) -> &str {
        &self.dataset
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<T>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let mut page = Page::default();
        for row in rows {
            let row = row?;
            if page.is_full() {
                page.leave_out();
                continue;
            }
            let item = serde_json::to_value(&row.item).doing("reading an item for the page")?;
            page.add(Entry::read(&row.key, item)?);
        }
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let path = sealing.folder.join(FILE);
        let mut file = Staged::create(&path)?;
        file.write_all(page.render(sealing).as_bytes())
            .doing(format_args!("writing {}", path.display()))
            .or_wait()?;
        // A crash after this line and before the publish brings the engine here again.
        file.commit_over()?;
        Ok(vec![FILE.to_owned()])
    }
}
