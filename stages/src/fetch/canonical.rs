//! One spelling per page: canonical URLs, links made absolute, and URLs that are safe to write down.

use url::Url;

/// Query parameters that say where a visitor came from, never which page is meant.
const TRACKING: &[&str] = &[
    "fbclid",
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_hsenc",
    "_hsmi",
    "__hstc",
    "__hssc",
    "__hsfp",
    "hsctatracking",
    "_openstat",
    "vero_id",
    "vero_conv",
    "wickedid",
    "oly_anon_id",
    "oly_enc_id",
    "rb_clickid",
    "s_cid",
    "srsltid",
    "ml_subscriber",
    "ml_subscriber_hash",
    "_ga",
    "_gl",
    "cmpid",
    "epik",
    "ref_src",
    "ref_url",
];

/// Beginnings of the names of more such parameters.
const TRACKING_PREFIXES: &[&str] =
    &["utm_", "mtm_", "matomo_", "pk_", "piwik_", "at_custom", "hsa_"];

/// Query parameters whose values are credentials.
const SECRET: &[&str] = &[
    "token",
    "key",
    "api_key",
    "apikey",
    "api-key",
    "sig",
    "signature",
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "auth",
    "authorization",
    "access_token",
    "accesstoken",
    "auth_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "session",
    "sessionid",
    "session_id",
    "sid",
    "jwt",
    "credential",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-signature",
    "x-goog-credential",
];

/// What stands in the place of a secret.
const HIDDEN: &str = "hidden";

/// The canonical form of a URL: what the WHATWG parser makes of it, without fragment, userinfo,
/// tracking parameters and an empty query, and with needless percent-escapes undone.
///
/// The order of the query stays, because for some sites it means something. A secret parameter
/// stays too, for the page is not served without it: see [`scrubbed`] before writing it down.
///
/// ```
/// # use tidemill_stages::fetch::canonical::canonical;
/// let url = "HTTP://me:pw@Example.org:80/a/../b?utm_source=x&id=7#top".parse()?;
/// assert_eq!(canonical(&url).as_str(), "http://example.org/b?id=7");
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn canonical(url: &Url) -> Url {
    let mut url = without_userinfo(url);
    url.set_fragment(None);
    let path = tidy_escapes(url.path());
    if path != url.path() {
        url.set_path(&path);
    }
    let query = url.query().map(|query| {
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_tracking(name_of(pair)));
        tidy_escapes(&kept.collect::<Vec<_>>().join("&"))
    });
    url.set_query(query.as_deref().filter(|query| !query.is_empty()));
    url
}

/// The canonical URL that a link on a page leads to; `None` when it is no `http` or `https` URL.
#[must_use]
pub fn resolve(base: &Url, href: &str) -> Option<Url> {
    let url = base.join(href.trim()).ok()?;
    let fetchable = matches!(url.scheme(), "http" | "https") && url.has_host();
    fetchable.then(|| canonical(&url))
}

/// Whether a URL carries a credential: userinfo, or a query parameter that is named like one.
#[must_use]
pub fn has_secret(url: &Url) -> bool {
    scrubbed(url) != *url
}

/// The URL without userinfo and with the values of secret parameters hidden, for everything that
/// is written down: logs, reports, errors, the ledger, WARC records.
#[must_use]
pub fn scrubbed(url: &Url) -> Url {
    let mut url = without_userinfo(url);
    let clean = |text: &str| scrub_pairs(text);
    let query = url.query().map(clean);
    if query.as_deref() != url.query() {
        url.set_query(query.as_deref());
    }
    // OAuth's implicit flow puts the token behind the `#`.
    let fragment = url.fragment().map(clean);
    if fragment.as_deref() != url.fragment() {
        url.set_fragment(fragment.as_deref());
    }
    url
}

/// The same for text that may be a relative reference, such as the value of a `Location` header.
#[must_use]
pub fn scrub_reference(text: &str) -> String {
    if let Ok(url) = Url::parse(text) {
        return scrubbed(&url).into();
    }
    let Some(at) = text.find(['?', '#']) else { return without_authority_userinfo(text) };
    let (front, rest) = text.split_at(at + 1);
    let (query, fragment) = match rest.split_once('#') {
        Some((query, fragment)) => (query, Some(fragment)),
        None => (rest, None),
    };
    let fragment = fragment.map(|text| format!("#{}", scrub_pairs(text))).unwrap_or_default();
    format!("{}{}{fragment}", without_authority_userinfo(front), scrub_pairs(query))
}

/// `//user:word@host/…` without `user:word@`.
fn without_authority_userinfo(text: &str) -> String {
    let Some(rest) = text.strip_prefix("//") else { return text.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("//{host}{path}")
}

fn without_userinfo(url: &Url) -> Url {
    let mut url = url.clone();
    if url.username().is_empty() && url.password().is_none() {
        return url;
    }
    // The setters refuse only URLs that cannot have userinfo, and this one has it.
    let gone = url.set_username("").and_then(|()| url.set_password(None));
    debug_assert!(gone.is_ok(), "userinfo stays in a URL");
    url
}

fn scrub_pairs(text: &str) -> String {
    let clean = |pair: &str| {
        let name = name_of(pair);
        if is_secret(name) && name.len() + 1 < pair.len() {
            format!("{name}={HIDDEN}")
        } else {
            pair.to_owned()
        }
    };
    text.split('&').map(clean).collect::<Vec<_>>().join("&")
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

fn is_tracking(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TRACKING.contains(&name.as_str()) || TRACKING_PREFIXES.iter().any(|p| name.starts_with(p))
}

fn is_secret(name: &str) -> bool {
    // `t%6fken` is the same name to the server.
    let plain = url::form_urlencoded::parse(name.as_bytes()).next();
    let Some((name, _)) = plain else { return false };
    SECRET.contains(&name.to_ascii_lowercase().as_str())
}

/// Escapes as RFC 3986 §6.2.2 normalises them: `%e3` is `%E3`, and `%66` is `f`.
///
/// Only letters, digits, `-`, `.`, `_` and `~` are unescaped: no other character means the same
/// with and without its escape.
fn tidy_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((front, behind)) = rest.split_once('%') {
        out.push_str(front);
        rest = behind;
        let Some(byte) = behind.get(..2).and_then(escaped_byte) else {
            out.push('%');
            continue;
        };
        rest = behind.get(2..).unwrap_or_default();
        // Behind a stray `%`, a digit that is unescaped would complete an escape: `%%34%31`.
        let after_stray = out.bytes().rev().take(2).any(|b| b == b'%');
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain && !after_stray {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out.push_str(rest);
    out
}

fn escaped_byte(hex: &str) -> Option<u8> {
    let is_hex = hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
