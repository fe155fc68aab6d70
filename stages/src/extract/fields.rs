//! Declared fields: a name and a CSS selector each, read from a page into JSON.

use super::stage::body_of;
use crate::fetch::{Page, decode};
use scraper::{Html, Selector};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{Context, Error, Fingerprint, Result, Stage, Step};

/// The fields of one page, by name; a field that selects several elements holds them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    /// The page's address.
    pub url: String,
    /// The text, or the attribute, of each selected element.
    pub values: BTreeMap<String, Vec<String>>,
}

/// A stage that reads declared fields from pages. A selector that cannot be read is told when the
/// run is prepared, before any request.
///
/// ```
/// use tidemill_stages::extract::Select;
/// let prices = Select::new().text("name", "h1").attribute("image", "img.main", "src");
/// # let _ = prices;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Select {
    fields: Vec<Field>,
    /// The first selector that cannot be read, with its field and why.
    mistake: Option<String>,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    css: String,
    selector: Selector,
    attribute: Option<String>,
}

impl Select {
    /// Without fields yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text of the elements that a CSS selector finds.
    #[must_use]
    pub fn text(self, name: &str, css: &str) -> Self {
        self.field(name, css, None)
    }

    /// An attribute of the elements that a CSS selector finds.
    #[must_use]
    pub fn attribute(self, name: &str, css: &str, attribute: &str) -> Self {
        self.field(name, css, Some(attribute.to_string()))
    }

    fn field(mut self, name: &str, css: &str, attribute: Option<String>) -> Self {
        match Selector::parse(css) {
            Ok(selector) => {
                self.fields.push(Field { name: name.into(), css: css.into(), selector, attribute });
            }
            Err(error) => {
                let mistake =
                    format!("the selector `{css}` of field `{name}` cannot be read: {error}");
                self.mistake.get_or_insert(mistake);
            }
        }
        self
    }

    /// Reads the fields from HTML.
    #[must_use]
    pub fn read(&self, html: &str, url: &str) -> Fields {
        let html = Html::parse_document(html);
        let values = self.fields.iter().map(|field| {
            let found = html.select(&field.selector).filter_map(|element| match &field.attribute {
                Some(attribute) => element.value().attr(attribute).map(str::to_string),
                None => {
                    let text = element.text().collect::<String>();
                    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
                }
            });
            (field.name.clone(), found.collect())
        });
        Fields { url: url.to_string(), values: values.collect() }
    }
}

impl Step for Select {
    fn name(&self) -> &str {
        "select"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        let described: Vec<_> =
            self.fields.iter().map(|f| (&f.name, &f.css, &f.attribute)).collect();
        Fingerprint::of(&described)
    }

    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        match &self.mistake {
            None => Ok(self.fingerprint()),
            Some(mistake) => Err(Error::halt(mistake.clone())
                .because("bad_selector")
                .help("write a CSS selector, for instance `article h1`")),
        }
    }
}

impl Stage<Page> for Select {
    type Out = Fields;

    async fn run(&self, page: Page, cx: &Context) -> Result<Fields> {
        let body = body_of(&page, cx).await?;
        let this = self.clone();
        let read = move || {
            let text = decode(&body, page.content_type.as_deref()).text;
            this.read(&text, &page.final_url)
        };
        Ok(tokio::task::spawn_blocking(in_run(read)).await?)
    }

    fn input(&self, page: &Page) -> Fingerprint {
        super::stage::input(page)
    }
}
