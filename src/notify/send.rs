//! One request to one target, and what its answer means for whoever tries again.

use super::{Kind, Target, words};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use std::time::Duration;
use tidemill_pipeline::serve::{Notice, NoticeKind};
use tidemill_pipeline::{Error, Result};
use url::Url;

const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(30);

/// The longest delay that a target may ask for.
const PATIENCE: Duration = Duration::from_secs(3600);

const TEXT: &str = "text/plain; charset=utf-8";

/// A client that follows no redirect: a notice, and its token, go where the person said.
pub(super) fn client() -> Result<Client> {
    let builder = Client::builder()
        .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .redirect(redirect::Policy::none());
    builder.build().map_err(|e| Error::halt("no HTTP client for notices").caused_by(e))
}

/// Sends one notice, once.
pub(super) async fn send(client: &Client, target: &Target, notice: &Notice) -> Result<()> {
    let mut request = request(client, target, notice);
    if let Some(token) = &target.token {
        request = request.bearer_auth(token.expose());
    }
    let answer = request.send().await.map_err(|error| not_there(target, error))?;
    judge(target, &answer)
}

fn request(client: &Client, target: &Target, notice: &Notice) -> RequestBuilder {
    let url = target.url.expose().clone();
    let text = words::text(notice);
    match target.kind {
        Kind::Webhook => client.post(url).json(notice),
        Kind::Ntfy => client
            .post(url)
            .header("Title", words::title(notice))
            .header("Priority", words::priority(notice.kind))
            .header("Tags", words::tags(notice.kind))
            .header(CONTENT_TYPE, TEXT)
            .body(text),
        Kind::Ping => client.post(ping(url, notice.kind)).header(CONTENT_TYPE, TEXT).body(text),
    }
}

/// The address of a check, or the one beside it that says that something failed.
fn ping(mut url: Url, kind: NoticeKind) -> Url {
    if kind == NoticeKind::Failed
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().push("fail");
    }
    url
}

/// Neither the address nor what it is made of may be in the error: it is logged and kept.
fn not_there(target: &Target, error: reqwest::Error) -> Error {
    let (how, reason) = match &error {
        e if e.is_timeout() => ("does not answer in time", "notify_timeout"),
        e if e.is_connect() => ("cannot be reached", "notify_away"),
        _ => ("broke the connection", "notify_away"),
    };
    Error::retry(format!("the target {} {how}", target.name))
        .because(reason)
        .help("look whether the network and the service are up")
        .caused_by(error.without_url())
}

fn judge(target: &Target, answer: &Response) -> Result<()> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    let (name, code) = (&target.name, status.as_u16());
    let error = match passing || !status.is_client_error() {
        true => Error::retry(format!("the target {name} does not take the notice: HTTP {code}")),
        false => Error::park(format!("the target {name} refuses the notice: HTTP {code}")),
    };
    let error = error.because(format!("http_{code}")).help(match code {
        300..=399 => "it redirects, which is not followed: give it the address that it leads to",
        401 | 403 => "look at its token or user: `notify rm` it and add it again",
        404 | 410 => "look at its address: `notify rm` it and add it again",
        _ => "look what the service says about it",
    });
    Err(match retry_after(answer) {
        Some(delay) => error.after(delay),
        None => error,
    })
}

/// The delay in seconds that the target asks for; the form with a date is left to our own pauses.
fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_beside_the_address_of_the_check() {
        for (address, failed) in [
            ("https://hc.example/uuid", "https://hc.example/uuid/fail"),
            ("https://hc.example/uuid/", "https://hc.example/uuid/fail"),
            ("https://hc.example/a/b?create=1", "https://hc.example/a/b/fail?create=1"),
        ] {
            let url = Url::parse(address).unwrap();
            assert_eq!(ping(url.clone(), NoticeKind::Failed).as_str(), failed);
            assert_eq!(ping(url.clone(), NoticeKind::Done), url);
        }
    }
}
