//! Printing: the only place that writes to the terminal, and never what a page could misuse.

use super::flags::Flags;
use super::log;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use tidemill_pipeline::{Error, Result};
use tracing::Level;

/// A reader that went away (`| head`) is no failure of ours: what it does not want is not written.
fn stdout(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Where stderr is for log collectors, what is said there is a log line like the others.
fn stderr(level: Level, text: &str) {
    match level {
        _ if !log::is_json() => {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
        Level::ERROR => tracing::error!(target: log::SAID, "{text}"),
        Level::WARN => tracing::warn!(target: log::SAID, "{text}"),
        _ => tracing::info!(target: log::SAID, "{text}"),
    }
}

/// A line of the result, on stdout; nothing with `--json` or `--quiet`.
pub(super) fn line(flags: &Flags, text: impl AsRef<str>) {
    if !flags.json && !flags.quiet {
        stdout(text.as_ref());
    }
}

/// A line of the result that was asked for by name: printed with `--quiet` too.
pub(super) fn result(flags: &Flags, text: impl AsRef<str>) {
    if !flags.json {
        stdout(text.as_ref());
    }
}

/// Stdout for rows that other programs read. On a terminal nothing goes through that moves a cursor.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "dataset"), expect(dead_code, reason = "only datasets are piped"))]
pub(super) struct Pipe(());

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut stdout = std::io::stdout().lock();
        if stdout.is_terminal() {
            stdout.write_all(plain(&String::from_utf8_lossy(bytes)).as_bytes())?;
        } else {
            stdout.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

/// A remark, on stderr; nothing with `--quiet`.
pub(super) fn remark(flags: &Flags, text: impl AsRef<str>) {
    if !flags.quiet {
        stderr(Level::INFO, text.as_ref());
    }
}

/// Something that went wrong and stopped nothing, on stderr; with `--quiet` too.
pub(super) fn wrong(text: impl AsRef<str>) {
    stderr(Level::WARN, &plain(text.as_ref()));
}

/// The one JSON report.
pub(super) fn json(flags: &Flags, report: &impl Serialize) -> Result<()> {
    if flags.json {
        stdout(&serde_json::to_string_pretty(report)?);
    }
    Ok(())
}

/// What failed and what to do next, on stderr; with `--json` on stdout too, as an object.
pub(super) fn error(error: &Error, flags: &Flags) {
    let prefix = if log::is_json() { "" } else { "error: " };
    stderr(Level::ERROR, &format!("{prefix}{}", plain(&error.to_string())));
    if flags.json {
        let object = serde_json::json!({
            "error": { "reason": error.reason(), "message": error.message(), "help": error.guidance() }
        });
        stdout(&format!("{object:#}"));
    }
}

/// Text from pages without control characters: no page gets to move the cursor or write titles.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| c == '\n' || !(c.is_control() || is_bidi(c));
    text.chars().map(|c| if harmless(c) { c } else { ' ' }).collect()
}

/// Characters that turn the direction of what follows.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How this program is called from here: by its name, or through cargo where it was built.
pub(super) fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let built_here = path.ancestors().any(|folder| folder.ends_with("target"))
        && std::path::Path::new("Cargo.toml").is_file();
    if built_here { "cargo run --".into() } else { name }
}

/// The first characters of a text, on one line.
pub(super) fn short(text: &str, width: usize) -> String {
    let text = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Bytes for people: `34 KB`.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < UNITS.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A large number for people: `950`, `12 400`, `3.1 million`.
pub(super) fn thousands(n: u64) -> String {
    match n {
        n if n < 1000 => n.to_string(),
        n if n < 1_000_000 => format!("{} {:03}", n / 1000, n % 1000),
        n => format!("{:.1} million", n as f64 / 1e6),
    }
}

/// `1 item`, `2 items`.
pub(super) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// A span of time for people: `0.4 ms`, `850 ms`, `12.3 s`, `2 min 03 s`, `1 h 04 min`.
pub(super) fn span(millis: f64) -> String {
    let seconds = (millis / 1000.0).round() as u64;
    match millis {
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 59_950.0 => format!("{:.1} s", ms / 1000.0),
        _ if seconds < 3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Text broken at word ends to a width, each line indented.
pub(super) fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in plain(text).split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if last == 0 => line.push_str(word),
            Some(line) if last + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

/// A named text on lines of a terminal, broken behind the name.
pub(super) fn named(name: &str, text: &str) -> String {
    let indent = name.chars().count().max(7) + 1;
    let body = wrapped(text, 79 - indent, &" ".repeat(indent));
    format!("{name:<7} {}", body.trim_start())
}

/// Milliseconds since 1970 as local time for people.
pub(super) fn moment(millis: i64, zone: tidemill_pipeline::clock::Zone) -> String {
    match chrono::DateTime::from_timestamp_millis(millis) {
        Some(at) => zone.local(at).format("%Y-%m-%d %H:%M").to_string(),
        None => "?".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_text_cannot_drive_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\u{202e}c\r"), "a [2Jb c ");
        assert_eq!(short("one two three", 8), "one two…");
        assert_eq!(wrapped("aa bb cc", 5, "> "), "> aa bb\n> cc");
        assert_eq!(bytes(1_234_567), "1.2 MB");
    }

    #[test]
    fn a_named_text_is_broken_behind_its_name() {
        assert_eq!(named("said", "ebb"), "said    ebb");
        let lines = named("said", &"ebb ".repeat(40));
        assert!(lines.lines().all(|line| line.chars().count() < 80), "{lines}");
        assert!(lines.lines().nth(1).is_some_and(|line| line.starts_with("        ebb")));
    }

    #[test]
    fn spans_are_as_long_as_they_need_be() {
        let spans = [0.0, 3.24, 12.4, 999.6, 59_940.0, 61_000.0, 3_840_000.0].map(span);
        assert_eq!(
            spans,
            ["0.0 ms", "3.2 ms", "12 ms", "1.0 s", "59.9 s", "1 min 01 s", "1 h 04 min"]
        );
    }
}
