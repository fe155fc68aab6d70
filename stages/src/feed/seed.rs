//! Seeds: what a person may write as the place to begin.

use super::links::{address, secret};
use crate::demo::{DemoSite, bind};
use tidemill_pipeline::{Context, Error, Result};
use url::Url;

/// The seed that stands for the bundled site.
pub(crate) const DEMO: &str = "demo:";

/// The bundled site, served as long as the mill is open.
#[derive(Debug)]
struct Demo(std::result::Result<DemoSite, String>);

/// Refuses what is no seed before it is written down anywhere.
///
/// # Errors
/// `bad_url` for what is no address, `secret_in_url` for one that carries a key or a password.
pub fn check_seed(text: &str) -> Result<()> {
    if text.trim() == DEMO {
        return Ok(());
    }
    // What is asked for has no name and password in it any more; what was written has.
    let named = Url::parse(text.trim())
        .is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
    if named {
        return Err(secret());
    }
    address(text).map(|_| ())
}

/// The address of a seed; `demo:` is the feed of the bundled site, served on loopback.
pub(crate) fn seed(text: &str, cx: &Context) -> Result<Url> {
    if text.trim() != DEMO {
        return address(text);
    }
    let site = cx.shared(|| {
        let started = bind(cx.home()).and_then(DemoSite::start);
        Demo(started.map_err(|error| error.to_string()))
    });
    match &site.0 {
        Ok(site) => address(&site.feed_url()),
        Err(why) => Err(Error::halt(why.clone()).because("demo_port")),
    }
}
