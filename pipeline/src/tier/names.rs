//! Names that every file system takes (exFAT, SMB, Windows), and names that are nobody's data.

use std::collections::HashMap;

/// The longest name in bytes: room to spare below the 255 of ext4, also in deep folders.
const LONGEST: usize = 120;

/// Turns any text into a file or folder name that is the same on every file system.
///
/// Text that is such a name already stays as it is. Everything else gets eight hexadecimal
/// characters of its hash before the extension, so that two texts never share a name:
/// ```
/// use tidemill_pipeline::tier::names::safe_name;
/// assert_eq!(safe_name("part-0000.parquet"), "part-0000.parquet");
/// assert!(safe_name("a:b.html").starts_with("a_b-"));
/// assert_ne!(safe_name("a:b.html"), safe_name("a?b.html"));
/// ```
#[must_use]
pub fn safe_name(text: &str) -> String {
    if is_safe(text) {
        return text.to_owned();
    }
    let clean: String = text.chars().filter(|c| !combining(*c)).map(plain).collect();
    let clean = clean.trim_end_matches(['.', ' ']).trim_start_matches(['.', ' ']);
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, ext)) if !stem.is_empty() && ext.len() <= 10 => (stem, format!(".{ext}")),
        _ => (clean, String::new()),
    };
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let hash = hash.get(..8).unwrap_or_default();
    let stem = shorten(stem, LONGEST - hash.len() - 1 - extension.len());
    let stem = if stem.is_empty() { "_" } else { stem };
    // A reserved word is no longer one with the hash behind it.
    format!("{stem}-{hash}{extension}")
}

/// Whether a name is taken as it is by every file system, and shown by none as hidden.
#[must_use]
pub fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with(['.', ' '])
        && !name.ends_with(['.', ' '])
        && !name.chars().any(|c| combining(c) || plain(c) != c)
        && !reserved(name)
        && !junk(name)
}

/// The first two names that would be one file where upper and lower case are the same.
#[must_use]
pub fn collision<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
    let mut seen = HashMap::new();
    for name in names {
        if let Some(earlier) = seen.insert(name.to_lowercase(), name) {
            return Some((earlier, name));
        }
    }
    None
}

/// Whether a name is litter of some system (Finder, Explorer, a NAS), ignored everywhere.
#[must_use]
pub fn junk(name: &str) -> bool {
    const LITTER: [&str; 16] = [
        ".ds_store",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        ".spotlight-v100",
        ".trashes",
        ".fseventsd",
        ".temporaryitems",
        ".documentrevisions-v100",
        ".apdisk",
        ".appledouble",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "@eadir",
    ];
    const PREFIXES: [&str; 4] = ["._", ".nfs", ".fuse_hidden", ".trash-"];
    let lower = name.to_lowercase();
    LITTER.contains(&lower.as_str()) || PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

/// Whether a path in a run folder is one of our own records, not data.
pub(super) fn is_record(path: &str) -> bool {
    let lower = path.to_lowercase();
    ["_manifest.json", "_tombstone.json"].contains(&lower.as_str())
}

/// What exFAT, SMB and Windows refuse, replaced.
fn plain(c: char) -> char {
    if c.is_control() || r#":?*"<>|\/"#.contains(c) { '_' } else { c }
}

/// Combining marks: with them the same word has two spellings that only some systems equate.
fn combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}')
}

/// The device names of Windows, with any extension.
fn reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) {
        return true;
    }
    let number = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    number.is_some_and(|n| n.len() == 1 && n.chars().all(|c| c.is_ascii_digit()))
}

/// At most `longest` bytes, cut between characters.
fn shorten(text: &str, longest: usize) -> &str {
    text.get(..text.floor_char_boundary(longest)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_stay_apart() {
        let bad = [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            r"a\b",
            "a:b",
            "a?b",
            "tab\there",
            "CON",
            "nul.txt",
            "com1",
            "trail.",
            "trail ",
            " lead",
            "e\u{301}",
            "Thumbs.db",
            "._x",
        ];
        for name in bad {
            assert!(!is_safe(name), "{name:?} passed as safe");
            assert!(is_safe(&safe_name(name)), "{name:?} became {:?}", safe_name(name));
        }
        let long = "日".repeat(86) + ".warc.gz";
        assert!(is_safe(&safe_name(&long)) && safe_name(&long).ends_with(".gz"));
        assert_eq!(safe_name("München 日本.html"), "München 日本.html");
        let made: std::collections::HashSet<String> = bad.iter().map(|n| safe_name(n)).collect();
        assert_eq!(made.len(), bad.len());
        assert!(is_safe("COM10") && is_safe("console.log") && !junk("news"));
        assert_eq!(collision(["a", "Foo.txt", "foo.TXT"]), Some(("Foo.txt", "foo.TXT")));
        assert_eq!(collision(["a", "b"]), None);
    }
}
