//! Markdown to prose: what is to be read stays; code, tables, lists of links and marks go.

/// The prose of a markdown text, one paragraph a line.
pub(super) fn prose(markdown: &str) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let mut open = String::new();
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let bare = line.trim();
        if let Some(mark) = fence {
            if bare.starts_with(mark) {
                fence = None;
            }
            continue;
        }
        fence = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        if fence.is_some() || ends_paragraph(bare) {
            close(&mut open, &mut paragraphs);
            continue;
        }
        let (item, body) = unlisted(bare);
        if item {
            close(&mut open, &mut paragraphs);
        }
        if let Some(text) = unmarked(body) {
            if !open.is_empty() {
                open.push(' ');
            }
            open.push_str(&text);
        }
    }
    close(&mut open, &mut paragraphs);
    paragraphs
}

fn close(open: &mut String, paragraphs: &mut Vec<String>) {
    if !open.is_empty() {
        paragraphs.push(std::mem::take(open));
    }
}

/// Blank lines, headings, rules, table rows and lines of HTML.
fn ends_paragraph(line: &str) -> bool {
    let table = line.starts_with('|') || line.matches(" | ").count() >= 2;
    let rule = line.bytes().all(|b| matches!(b, b'-' | b'=' | b'*' | b'_' | b' '));
    rule || table || line.starts_with('#') || line.starts_with('<')
}

/// Whether the line begins a list item, and the line without list and quote marks.
fn unlisted(line: &str) -> (bool, &str) {
    let line = line.trim_start_matches(['>', ' ']);
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (line.len() > number.len())
        .then(|| number.strip_prefix(". ").or_else(|| number.strip_prefix(") ")))
        .flatten();
    let dotted = ["- ", "* ", "+ ", "• "].into_iter().find_map(|mark| line.strip_prefix(mark));
    match dotted.or(numbered) {
        Some(body) => (true, body),
        None => (false, line),
    }
}

/// The line without links' targets, images, emphasis and code marks; `None` when most of it was
/// links, or nothing is left.
fn unmarked(line: &str) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut linked = 0;
    let mut rest = line;
    while let Some(at) = rest.find(['[', '!', '*', '`', '_']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some((text, after)) = link(from) {
            if !from.starts_with('!') {
                out.push_str(text);
                linked += text.len();
            }
            rest = after;
            continue;
        }
        let mut chars = from.chars();
        match chars.next() {
            Some(c @ ('[' | '!')) => out.push(c),
            // `snake_case` keeps its signs, *emphasis* loses them.
            Some('_') if out.ends_with(char::is_alphanumeric) && inside_word(chars.as_str()) => {
                out.push('_');
            }
            _ => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    let text = out.trim();
    let mostly_links = linked * 10 > text.len() * 6 && !text.ends_with(['.', '。', '!', '?']);
    (!text.is_empty() && !mostly_links).then(|| text.to_owned())
}

fn inside_word(rest: &str) -> bool {
    rest.chars().next().is_some_and(char::is_alphanumeric)
}

/// `[text](target)` and `![text](target)`: the text, and what follows.
fn link(from: &str) -> Option<(&str, &str)> {
    let body = from.strip_prefix('!').unwrap_or(from).strip_prefix('[')?;
    let (text, rest) = body.split_once(']')?;
    let (target, rest) = rest.strip_prefix('(')?.split_once(')')?;
    (!text.contains('[') && !target.contains('\n')).then_some((text, rest))
}
