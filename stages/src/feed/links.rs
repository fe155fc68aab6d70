//! A source of links that are given in the code.

use crate::fetch::Link;
use crate::fetch::canonical::{canonical, has_secret, scrub_reference};
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Result, ResultExt, Sent, Source, Step, Yielded,
};
use url::Url;

/// Yields the given addresses; the key of each is its canonical form.
///
/// ```
/// use tidemill_stages::feed::Links;
/// let links = Links::of(["https://example.org/a", "https://example.org/b"]);
/// # let _ = links;
/// ```
#[derive(Debug, Clone)]
pub struct Links(Vec<String>);

impl Links {
    /// These addresses, in this order.
    pub fn of(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(urls.into_iter().map(Into::into).collect())
    }
}

impl Step for Links {
    fn name(&self) -> &str {
        "links"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }
}

impl Source for Links {
    type Item = Link;

    async fn read(&self, out: &Emit<Link>, _cx: &Context) -> Result<()> {
        for text in &self.0 {
            let url = match address(text) {
                Ok(url) => url,
                Err(error) => {
                    out.park_with(&scrub_reference(text), error, |_| Ok(())).await?;
                    continue;
                }
            };
            if out.send(Yielded::new(url.as_str(), Link::to(url.as_str()))).await? == Sent::Stop {
                return Ok(());
            }
        }
        Ok(())
    }

    /// An address.
    async fn single(&self, what: &str, _cx: &Context) -> Result<Yielded<Link>> {
        named(what)
    }
}

/// The link to an address that a person named, or one in its JSON form.
pub(super) fn named(what: &str) -> Result<Yielded<Link>> {
    if what.trim_start().starts_with('{') {
        let link: Link = serde_json::from_str(what).or_halt().doing("this is no link in JSON")?;
        return Ok(Yielded::new(link.url.clone(), link));
    }
    let url = address(what)?;
    Ok(Yielded::new(url.as_str(), Link::to(url.as_str())))
}

/// The canonical form of an address that a person wrote.
pub(crate) fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text.trim())
        .or_park()
        .doing(format!("`{}` is no address", scrub_reference(text)))
        .map_err(|e| e.because("bad_url").help("write it with http:// or https://"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::park(format!("`{}` is neither http nor https", scrub_reference(text)))
            .because("bad_url")
            .help("write it with http:// or https://"));
    }
    let url = canonical(&url);
    if has_secret(&url) {
        return Err(secret());
    }
    Ok(url)
}

/// Why an address with a key or token in it is not taken: keys must be written down.
pub(crate) fn secret() -> Error {
    Error::park(
        "the address carries a secret, and addresses are kept in the ledger and the archive",
    )
    .because("secret_in_url")
    .help("use an address without key, token or password")
}
