//! One target of notices, as a line of the file says it: `NAME KIND URL [on=…] [token=…]`.

use super::Secret;
use tidemill_pipeline::serve::NoticeKind;
use url::Url;

/// The kinds of notices that a line may ask for; a test goes everywhere.
const KINDS: [NoticeKind; 5] =
    [NoticeKind::Failed, NoticeKind::Parked, NoticeKind::Away, NoticeKind::Yield, NoticeKind::Done];

/// What is wrong with a line. It is fixed text: what stands in the line may be a secret.
pub(crate) type Wrong = &'static str;

/// What listens at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything that takes a notice as JSON.
    Webhook,
    /// A topic of ntfy, <https://docs.ntfy.sh/publish/>.
    Ntfy,
    /// A check that expects a sign of life, <https://healthchecks.io/docs/http_api/>.
    Ping,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Webhook => "webhook",
            Kind::Ntfy => "ntfy",
            Kind::Ping => "ping",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let kinds = [Kind::Webhook, Kind::Ntfy, Kind::Ping];
        let found = kinds.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or("the second word is none of webhook, ntfy, ping")
    }

    /// What a target of this kind is told when its line does not say.
    fn default_on(self) -> Vec<NoticeKind> {
        match self {
            Kind::Webhook | Kind::Ntfy => KINDS[..4].to_vec(),
            Kind::Ping => vec![NoticeKind::Done, NoticeKind::Failed],
        }
    }
}

/// A place that notices go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) url: Secret<Url>,
    pub(crate) on: Vec<NoticeKind>,
    pub(crate) token: Option<Secret>,
}

impl Target {
    /// Checks the parts of a line; `on` is a list with commas.
    pub(crate) fn new(
        name: &str,
        kind: Kind,
        url: &str,
        on: Option<&str>,
        token: Option<&str>,
    ) -> Result<Self, Wrong> {
        let url = address(url)?;
        let token = token.map(checked_token).transpose()?;
        if token.is_some() && !(url.username().is_empty() && url.password().is_none()) {
            return Err("it has a token and a user in its address: one of them must go");
        }
        Ok(Self {
            name: checked_name(name)?.to_string(),
            kind,
            on: on.map_or_else(|| Ok(kind.default_on()), |list| wanted(kind, list))?,
            url: Secret::new(url),
            token,
        })
    }

    /// Reads a line; `None` when it is empty or a comment.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, Wrong> {
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(name) = words.next() else { return Ok(None) };
        let kind = Kind::parse(words.next().ok_or("it ends behind the name")?)?;
        let url = words.next().ok_or("the address is missing")?;
        let (mut on, mut token) = (None, None);
        for word in words {
            let slot = match word.split_once('=') {
                Some(("on", list)) => on.replace(list),
                Some(("token", secret)) => token.replace(secret),
                _ => return Err("behind the address only on=… and token=… are known"),
            };
            if slot.is_some() {
                return Err("on=… or token=… is there twice");
            }
        }
        Self::new(name, kind, url, on, token).map(Some)
    }

    /// The line that [`Target::parse`] reads.
    pub(crate) fn line(&self) -> String {
        let (kind, url, on) = (self.kind.as_str(), self.url.expose(), self.on_list());
        let token = self.token.as_ref().map(|token| format!(" token={}", token.expose()));
        format!("{} {kind} {url} on={on}{}", self.name, token.unwrap_or_default())
    }

    /// The kinds that it is told, with commas.
    pub(crate) fn on_list(&self) -> String {
        self.on.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",")
    }

    /// The host of its address, which may be shown.
    pub(crate) fn host(&self) -> &str {
        self.url.expose().host_str().unwrap_or_default()
    }

    /// Whether it is told of this kind.
    pub(crate) fn wants(&self, kind: NoticeKind) -> bool {
        kind == NoticeKind::Test || self.on.contains(&kind)
    }
}

fn checked_name(name: &str) -> Result<&str, Wrong> {
    let fits = name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    fits.then_some(name).ok_or("its name must be 1 to 64 letters, digits, `-` or `_`")
}

fn address(url: &str) -> Result<Url, Wrong> {
    let url = Url::parse(url).map_err(|_| "its address is no URL")?;
    match url.scheme() {
        "https" | "http" => Ok(url),
        _ => Err("its address must begin with https:// or http://"),
    }
}

fn checked_token(token: &str) -> Result<Secret, Wrong> {
    let fits = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
    fits.then(|| Secret::new(token.to_string())).ok_or("its token must be one word of plain ASCII")
}

/// Reads `failed,done`.
fn wanted(kind: Kind, list: &str) -> Result<Vec<NoticeKind>, Wrong> {
    let mut on = Vec::new();
    for word in list.split(',') {
        let found = KINDS.into_iter().find(|kind| kind.as_str() == word.trim());
        let found = found.ok_or("on=… is a list of failed, parked, away, yield, done")?;
        if kind == Kind::Ping && !kind.default_on().contains(&found) {
            return Err("a ping knows done and failed only");
        }
        if !on.contains(&found) {
            on.push(found);
        }
    }
    Ok(on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Target {
        Target::parse(line).unwrap().unwrap()
    }

    #[test]
    fn a_line_is_read_and_written_back_as_it_was() {
        let whole = "phone ntfy https://ntfy.example/t0p?a=b on=failed,done token=tk_1";
        assert_eq!(read(whole).line(), whole);
        let pinged = read("beat ping http://127.0.0.1:9/u # nightly");
        assert_eq!(pinged.line(), "beat ping http://127.0.0.1:9/u on=done,failed");
        assert_eq!(read("a webhook https://x.example/").on_list(), "failed,parked,away,yield");
        assert_eq!(Target::parse("  # nothing").unwrap(), None);
        assert_eq!(Target::parse("").unwrap(), None);
    }

    #[test]
    fn a_test_goes_everywhere_and_others_where_they_are_wanted() {
        let target = read("beat ping https://x.example/u on=failed");
        assert!(target.wants(NoticeKind::Test) && target.wants(NoticeKind::Failed));
        assert!(!target.wants(NoticeKind::Done));
    }

    #[test]
    fn no_secret_is_in_what_debug_shows() {
        let target = read("a webhook https://u:pw-s3cret@x.example/path-s3cret");
        assert!(!format!("{target:?}").contains("s3cret"), "{target:?}");
        let target = read("a ntfy https://x.example/path-s3cret token=tok-s3cret");
        assert!(!format!("{target:#?}").contains("s3cret"), "{target:?}");
    }

    #[test]
    fn bad_lines_are_refused() {
        for (line, why) in [
            ("a", "behind the name"),
            ("a telegram https://x.example/", "none of webhook"),
            ("a ntfy", "address is missing"),
            ("a ntfy x.example/topic", "no URL"),
            ("a ntfy ftp://x.example/topic", "https://"),
            ("a/b ntfy https://x.example/t", "its name"),
            ("- ntfy https://x.example/t", "its name"),
            ("a ntfy https://x.example/t on=", "list of"),
            ("a ntfy https://x.example/t on=test", "list of"),
            ("a ntfy https://x.example/t on=failed on=done", "twice"),
            ("a ntfy https://x.example/t token=", "one word"),
            ("a ntfy https://x.example/t color=red", "only on=… and token=…"),
            ("a ntfy https://u@x.example/t token=x", "one of them must go"),
            ("a ping https://x.example/t on=away", "a ping knows"),
        ] {
            let wrong = Target::parse(line).unwrap_err();
            assert!(wrong.contains(why), "{line}: {wrong}");
        }
    }
}
