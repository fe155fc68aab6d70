//! Sentences and words, in scripts with and without spaces.

use super::budget::is_cjk;

/// A sentence without an end is cut here, in bytes: subtitles, poems, lists without stops.
const LONGEST: usize = 600;
/// A stop after these ends no sentence.
const ABBREVIATIONS: [&str; 24] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "eg", "ie", "e.g", "i.e", "no", "inc",
    "ltd", "co", "fig", "approx", "bzw", "ca", "nr", "z.b", "d.h", "u.a",
];

/// The sentences of a paragraph, trimmed, in order.
pub(super) fn sentences(paragraph: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = paragraph.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let ended = match c {
            '。' | '！' | '？' | '｡' | '।' | '॥' | '۔' | '؟' => true,
            '.' | '!' | '?' | '…' => ends_here(paragraph, start, at, end),
            _ => end - start > LONGEST && (c.is_whitespace() || is_cjk(c)),
        };
        if !ended {
            continue;
        }
        let mut end = end;
        while let Some(&(at, closing)) = chars.peek()
            && matches!(closing, '"' | '\'' | '”' | '’' | '»' | ')' | '」' | '』' | '）' | '.')
        {
            end = at + closing.len_utf8();
            chars.next();
        }
        found.extend(paragraph.get(start..end).map(str::trim));
        start = end;
    }
    found.extend(paragraph.get(start..).map(str::trim));
    found.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    found
}

/// Whether a stop at `at` ends a sentence: white space follows, then no small letter, and the word
/// before is no abbreviation and no initial.
fn ends_here(text: &str, start: usize, at: usize, end: usize) -> bool {
    let rest = text.get(end..).unwrap_or("");
    let rest = rest.trim_start_matches(['"', '\'', '”', '’', '»', ')']);
    if rest.is_empty() {
        return true;
    }
    if !rest.starts_with(char::is_whitespace) {
        return rest.starts_with(is_cjk);
    }
    if rest.trim_start().starts_with(char::is_lowercase) {
        return false;
    }
    let before = text.get(start..at).unwrap_or("");
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or("");
    let initial = word.chars().count() == 1 && word.starts_with(char::is_uppercase);
    let numbered = before == word && word.chars().all(|c| c.is_ascii_digit());
    !(initial || numbered || ABBREVIATIONS.iter().any(|short| word.eq_ignore_ascii_case(short)))
}

/// How many words: runs without white space, and two characters a word in scripts without spaces.
pub(super) fn count_words(text: &str) -> u64 {
    let (mut words, mut signs, mut in_word) = (0, 0_u64, false);
    for c in text.chars() {
        let cjk = is_cjk(c) && !('\u{ac00}'..='\u{d7af}').contains(&c); // Korean has spaces
        let part = !cjk && c.is_alphanumeric();
        words += u64::from(part && !in_word);
        signs += u64::from(cjk);
        // An apostrophe or a hyphen inside a word does not end it.
        in_word = part || (in_word && !cjk && !c.is_whitespace());
    }
    words + signs.div_ceil(2)
}

/// The beginning of a text, `most` words long, with an ellipsis when something was left out.
pub(super) fn first_words(text: &str, most: u64) -> String {
    let (mut words, mut signs, mut in_word) = (0, 0_u64, false);
    for (at, c) in text.char_indices() {
        let cjk = is_cjk(c);
        words += u64::from(!cjk && !in_word && !c.is_whitespace());
        signs += u64::from(cjk);
        in_word = !cjk && !c.is_whitespace();
        if words + signs.div_ceil(2) > most {
            let head = text.get(..at).unwrap_or(text).trim_end();
            return format!("{head} …");
        }
    }
    text.trim().to_owned()
}
