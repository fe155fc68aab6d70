//! Makes text of strangers harmless on a page: markup escaped, controls and direction tricks out.

/// Appends text so that it can stand between tags as well as in a double-quoted attribute.
///
/// Besides the five characters of markup it deals with what would make the page look other than
/// it is: see [`is_treacherous`].
pub(super) fn push(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{2028}' | '\u{2029}' => out.push('\n'),
            c if is_treacherous(c) => {}
            c => out.push(c),
        }
    }
}

/// The same, as a new string.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    push(&mut out, text);
    out
}

/// Control characters except tab and line feed, the embeddings, overrides and isolates of
/// Unicode's bidirectional algorithm (UAX 9), interlinear marks, invisible tags, noncharacters.
/// The joiners and plain direction marks stay: Persian, Hindi and emoji need them.
fn is_treacherous(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' => true,
        c => c.is_control() || (u32::from(c) & 0xFFFE) == 0xFFFE,
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escaped("<a href=\"x\" id='y'>&amp;"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;"
        );
    }

    #[test]
    fn controls_and_direction_overrides_are_dropped_and_joiners_stay() {
        assert_eq!(escaped("a\0b\x1b[31m\u{85}\r\n\tc"), "ab[31m\n\tc");
        assert_eq!(escaped("exe.\u{202E}fdp\u{2066}x\u{2069}"), "exe.fdpx");
        assert_eq!(escaped("\u{FEFF}\u{E0041}\u{FFFF}\u{1FFFE}z"), "z");
        assert_eq!(escaped("می\u{200C}خواهم"), "می\u{200C}خواهم");
        assert_eq!(escaped("one\u{2028}two"), "one\ntwo");
    }
}
