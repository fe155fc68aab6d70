//! One page for one person, outside of any run: robots.txt is asked, nothing is stored.

use super::canonical::canonical;
use super::client::{Client, Politeness, Request, Response};
use super::robots::Robots;
use chrono::{DateTime, Utc};
use tidemill_pipeline::{Error, Result};
use url::Url;

const REDIRECTS: usize = 10;

/// Fetches a page: its body, its content type and the address that answered.
///
/// # Errors
/// *Park* when robots.txt forbids it or the site answers with an error; *retry* when it cannot be
/// reached.
pub async fn get_once(url: &Url, now: DateTime<Utc>) -> Result<(Vec<u8>, Option<String>, Url)> {
    let client = Client::new()?;
    let politeness = Politeness::default();
    let mut at = canonical(url);
    for _ in 0..=REDIRECTS {
        let rules = send(&client, &at.join("/robots.txt")?, &politeness, now).await?;
        let unknown = matches!(rules.status, 429 | 500..=599);
        let body = if rules.status < 300 { rules.body } else { Vec::new() };
        let path =
            at.query().map_or(at.path().to_string(), |query| format!("{}?{query}", at.path()));
        if unknown || !Robots::parse(&body).check("tidemill", &path).allowed {
            return Err(Error::park(format!(
                "robots.txt of {} forbids it",
                at.host_str().unwrap_or_default()
            ))
            .because("robots_denied")
            .help("save the page from a browser and extract the file"));
        }
        let page = send(&client, &at, &politeness, now).await?;
        match (page.status, page.header("location")) {
            (301 | 302 | 303 | 307 | 308, Some(to)) => at = canonical(&at.join(to)?),
            (200..=299, _) => {
                let content_type = page.header("content-type").map(str::to_string);
                return Ok((page.body, content_type, at));
            }
            (status, _) => {
                return Err(Error::park(format!("the site answers {status}"))
                    .because(format!("http_{status}"))
                    .help("look at the address in a browser"));
            }
        }
    }
    Err(Error::park(format!("more than {REDIRECTS} redirects"))
        .because("redirect_loop")
        .help("save the page from a browser and extract the file"))
}

async fn send(
    client: &Client,
    url: &Url,
    politeness: &Politeness,
    now: DateTime<Utc>,
) -> Result<Response> {
    // A person named it, so a private address is meant.
    let request =
        Request { url, etag: None, last_modified: None, private: true, politeness, cut: false };
    client.send(&request, now).await
}
