//! robots.txt: who may fetch what, by RFC 9309, and which line said so.

use std::time::Duration;

/// How much of a robots.txt is read, in bytes; RFC 9309 §2.5 asks for at least this much.
const CAP: usize = 500 * 1024;

/// A parsed robots.txt.
///
/// Where RFC 9309 leaves room, this follows what the reference parser's own tests expect: a
/// separator other than `:` is accepted between two words, common misspellings of *disallow*
/// count, only `allow` and `disallow` end a run of `user-agent` lines, and escaped letters
/// (`%62`) are not the same as plain ones (`b`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Robots {
    groups: Vec<Group>,
    delays: Vec<(Vec<String>, Duration)>,
    sitemaps: Vec<String>,
}

/// What robots.txt says of one path, and which line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the path may be fetched.
    pub allowed: bool,
    /// The line that decided, counted from 1; `None` when no rule matched.
    pub line: Option<usize>,
    /// The rule that decided, as it is written.
    pub rule: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Group {
    /// Lower-case product tokens; `*` is everyone.
    agents: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    allow: bool,
    pattern: Vec<u8>,
    line: usize,
    text: String,
}

impl Robots {
    /// Reads a robots.txt. Any bytes are a robots.txt: lines that mean nothing are passed over.
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut robots = Self::default();
        for (index, line) in lines(capped(body)).enumerate() {
            robots.line(index + 1, line);
        }
        robots
    }

    /// Whether `agent` (a product token such as `tidemill`) may fetch a path with its query.
    ///
    /// The longest matching pattern decides, *allow* wins a tie, and no match means yes. A group
    /// that names the agent replaces the groups for `*`. `/robots.txt` itself is always allowed.
    #[must_use]
    pub fn check(&self, agent: &str, path_and_query: &str) -> Verdict {
        if path_and_query == "/robots.txt" {
            return Verdict { allowed: true, line: None, rule: None };
        }
        let path = if path_and_query.is_empty() { "/" } else { path_and_query };
        let path = upper_case_escapes(path.as_bytes());
        let best = self
            .rules_for(agent)
            .filter(|rule| matches(&rule.pattern, &path))
            .max_by_key(|rule| (rule.pattern.len(), rule.allow));
        Verdict {
            allowed: best.is_none_or(|rule| rule.allow),
            line: best.map(|rule| rule.line),
            rule: best.map(|rule| rule.text.clone()),
        }
    }

    /// The pause between two requests that the site asks `agent` for; not in RFC 9309, but common.
    #[must_use]
    pub fn crawl_delay(&self, agent: &str) -> Option<Duration> {
        let agent = self.known_as(agent);
        let longest =
            |(agents, delay): &(Vec<String>, Duration)| agents.contains(&agent).then_some(*delay);
        self.delays.iter().filter_map(longest).max()
    }

    /// The sitemaps that the file names, as they are written.
    #[must_use]
    pub fn sitemaps(&self) -> &[String] {
        &self.sitemaps
    }

    /// All rules of all groups that speak to the agent, as if they were one group (§2.2.1).
    fn rules_for(&self, agent: &str) -> impl Iterator<Item = &Rule> {
        let agent = self.known_as(agent);
        self.groups.iter().filter(move |g| g.agents.contains(&agent)).flat_map(|g| &g.rules)
    }

    /// The agent's own token when some group names it, else `*`.
    fn known_as(&self, agent: &str) -> String {
        let token = product_token(agent.as_bytes());
        let named = self.groups.iter().any(|group| group.agents.contains(&token));
        if named && !token.is_empty() { token } else { "*".to_owned() }
    }

    fn line(&mut self, number: usize, line: &[u8]) {
        let Some((key, value)) = key_and_value(line) else { return };
        match key.as_str() {
            "user-agent" | "useragent" | "user agent" => self.agent(value),
            "allow" => self.rule(true, number, line, value),
            "disallow" | "dissallow" | "dissalow" | "disalow" | "diasllow" | "disallaw" => {
                self.rule(false, number, line, value);
            }
            "crawl-delay" => self.delay(value),
            "sitemap" | "site-map" => {
                self.sitemaps.push(String::from_utf8_lossy(value).into_owned());
            }
            _ => {}
        }
    }

    fn agent(&mut self, value: &[u8]) {
        let everyone = value.strip_prefix(b"*");
        let token = match everyone {
            Some(rest) if rest.first().is_none_or(u8::is_ascii_whitespace) => "*".to_owned(),
            _ => product_token(value),
        };
        match self.groups.last_mut() {
            Some(group) if group.rules.is_empty() => group.agents.push(token),
            _ => self.groups.push(Group { agents: vec![token], rules: Vec::new() }),
        }
    }

    fn rule(&mut self, allow: bool, line: usize, text: &[u8], value: &[u8]) {
        // A rule before the first user-agent line belongs to nobody.
        let Some(group) = self.groups.last_mut() else { return };
        let text = String::from_utf8_lossy(without_comment(text)).trim().to_owned();
        group.rules.push(Rule { allow, pattern: escaped(value), line, text });
    }

    fn delay(&mut self, value: &[u8]) {
        let Some(group) = self.groups.last() else { return };
        let seconds = str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok());
        let Some(delay) = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) else { return };
        self.delays.push((group.agents.clone(), delay));
    }
}

/// The part that is read: a line that the cap cuts in two would say something else, so it goes.
fn capped(body: &[u8]) -> &[u8] {
    let Some(head) = body.get(..CAP).filter(|_| body.len() > CAP) else { return body };
    let end = head.iter().rposition(|b| matches!(b, b'\n' | b'\r')).unwrap_or(0);
    head.get(..end).unwrap_or_default()
}

/// Lines that end in LF, CR LF or CR.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .flat_map(|line| line.split(|b| *b == b'\r'))
}

fn without_comment(line: &[u8]) -> &[u8] {
    line.split(|b| *b == b'#').next().unwrap_or_default()
}

/// `Key: value`, or `key value` when there are just two words.
fn key_and_value(line: &[u8]) -> Option<(String, &[u8])> {
    let line = without_comment(line).trim_ascii();
    let (key, value) = match line.iter().position(|b| *b == b':') {
        Some(at) => (line.get(..at)?, line.get(at + 1..)?),
        None => two_words(line)?,
    };
    let key = str::from_utf8(key.trim_ascii()).ok()?.to_ascii_lowercase();
    Some((key, value.trim_ascii()))
}

fn two_words(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(u8::is_ascii_whitespace)?;
    let (key, value) = (line.get(..at)?, line.get(at..)?.trim_ascii());
    (!value.iter().any(u8::is_ascii_whitespace)).then_some((key, value))
}

/// The letters, `-` and `_` at the start (§2.2.1), in lower case.
fn product_token(value: &[u8]) -> String {
    let is_token = |b: &&u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_');
    value.iter().take_while(is_token).map(|b| char::from(b.to_ascii_lowercase())).collect()
}

/// A pattern with bytes outside ASCII escaped and escapes in upper case, as URLs have them.
fn escaped(pattern: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pattern.len());
    for byte in pattern {
        if byte.is_ascii() {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    upper_case_escapes(&out)
}

fn upper_case_escapes(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut at = 0;
    while let Some([percent, escape @ ..]) = out.get_mut(at..(at + 3)) {
        let is_escape = *percent == b'%' && escape.iter().all(u8::is_ascii_hexdigit);
        if is_escape {
            escape.make_ascii_uppercase();
        }
        at += if is_escape { 3 } else { 1 };
    }
    out
}

/// Whether a pattern matches from the start of a path: `*` is any run, a last `$` is the end.
///
/// Taking each piece between stars at its first place is enough, so no backtracking is needed
/// and a hostile pattern costs no more than its length times the path's.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    // An empty rule matches nothing (§2.2.2).
    if pattern.is_empty() {
        return false;
    }
    let (pattern, anchored) = match pattern.strip_suffix(b"$") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let mut pieces = pattern.split(|b| *b == b'*');
    let Some(mut rest) = path.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return !anchored || rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if anchored && pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(after) = after_first(rest, piece) else { return false };
        rest = after;
    }
    true
}

/// What follows the first occurrence of a piece.
fn after_first<'a>(text: &'a [u8], piece: &[u8]) -> Option<&'a [u8]> {
    if piece.is_empty() {
        return Some(text);
    }
    let at = text.windows(piece.len()).position(|window| window == piece)?;
    text.get(at + piece.len()..)
}

#[cfg(test)]
#[path = "robots_tests.rs"]
mod tests;
