//! Text on its way into a prompt and out of an answer: nothing invisible, nothing that steers.

/// What chat templates use as marks, in lower case; `<|…|>` and its look-alike are cut generally.
const MARKS: [&str; 20] = [
    "<|",
    "<｜",
    "<start_of_turn>",
    "<end_of_turn>",
    "[inst]",
    "[/inst]",
    "<<sys>>",
    "<</sys>>",
    "<<data",
    "<<end",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<think>",
    "</think>",
    "[system_prompt]",
    "[available_tools]",
    "[tool_calls]",
    "[tool_results]",
];

/// Page text as data: invisible characters gone, template marks broken by a space, long runs of
/// one sign shortened (`=====` says no more than `===`, and upsets token estimates).
pub(super) fn neutralised(text: &str) -> String {
    broken_marks(&shortened(&visible(text)))
}

/// Without control, zero-width and direction characters, which hide text from people.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            // Persian, Indic scripts and emoji are spelled with joiners.
            '\u{200c}' | '\u{200d}' if out.chars().next_back().is_some_and(|p| !p.is_ascii()) => {
                out.push(c);
            }
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// At most three of the same sign or white space in a row.
fn shortened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut last, mut run) = ('\0', 0);
    for c in text.chars() {
        run = if c == last { run + 1 } else { 1 };
        last = c;
        if run <= 3 || c.is_alphanumeric() {
            out.push(c);
        }
    }
    out
}

fn broken_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        out.push(c);
        if matches!(c, '<' | '[') && MARKS.iter().any(|mark| begins(text, at, mark)) {
            out.push(' ');
        }
    }
    out
}

fn begins(text: &str, at: usize, mark: &str) -> bool {
    text.get(at..at + mark.len()).is_some_and(|head| head.eq_ignore_ascii_case(mark))
}

/// What the model said for us: without its thinking, without invisible characters.
pub(super) fn spoken(answer: &str) -> String {
    let mut text = answer;
    // Some templates open the thinking themselves, so that only its end is seen.
    if let Some((_, said)) = text.rsplit_once("</think>") {
        text = said;
    }
    // Thinking that never ended: nothing was said after it.
    if let Some((said, _)) = text.split_once("<think>") {
        text = said;
    }
    visible(text).trim().to_owned()
}
