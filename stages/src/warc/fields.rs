//! The text of a record: version line, named fields, block.

use super::record::{Kind, Record};
use chrono::{DateTime, Utc};
use std::io::{BufRead, ErrorKind, Read};
use tidemill_pipeline::Error;

/// The most bytes that a record's fields, or a response's headers, may take.
const HEAD_CAP: u64 = 1024 * 1024;

/// Why a record could not be read.
#[derive(Debug)]
pub(super) enum Flaw {
    /// The compressed bytes end inside of the record.
    Torn,
    /// The text ends inside of the record; whether the file is torn, its format tells.
    Short,
    /// The bytes are no WARC record, or no gzip.
    Damaged(String),
    /// The record was passed over to its end; the next one can be read.
    Skipped { reason: &'static str, message: String },
    /// The bytes could not be got at all.
    Io(std::io::Error),
}

impl From<std::io::Error> for Flaw {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Flaw::Torn,
            // flate2 tells of damaged bytes in these two ways.
            ErrorKind::InvalidInput | ErrorKind::InvalidData => Flaw::Damaged(error.to_string()),
            _ => Flaw::Io(error),
        }
    }
}

impl Flaw {
    /// The error of a record that stands alone.
    pub(super) fn into_error(self) -> Error {
        match self {
            Flaw::Torn | Flaw::Short => {
                Error::park("the WARC record is cut short").because("warc_torn").help(
                    "the offset and length do not fit the file: rebuild its index, or restore it",
                )
            }
            Flaw::Damaged(what) => Error::park(format!("the WARC record is damaged: {what}"))
                .because("warc_damaged")
                .help("restore the file from an archive"),
            Flaw::Skipped { reason, message } => Error::park(message).because(reason),
            Flaw::Io(error) => Error::from(error),
        }
    }
}

/// Reads one record; behind it the input stands at the line ends that close the record.
pub(super) fn read_record(input: &mut impl BufRead, cap: u64) -> Result<Record, Flaw> {
    let head = read_head(input)?;
    let text = String::from_utf8_lossy(&head);
    let (version, lines) = text.split_once('\n').unwrap_or((&text, ""));
    if !version.starts_with("WARC/") {
        return Err(Flaw::Damaged(format!("{:?} is no version of WARC", cut(version))));
    }
    let mut fields = parse_fields(lines);
    let length = take(&mut fields, "Content-Length")
        .and_then(|text| text.parse::<u64>().ok())
        .ok_or_else(|| Flaw::Damaged("the field Content-Length is missing or no number".into()))?;
    if length > cap {
        pass_over(input, length)?;
        let message = format!("a WARC record of {length} bytes is over the cap of {cap}");
        return Err(Flaw::Skipped { reason: "warc_too_large", message });
    }
    let block = read_block(input, length)?;
    from_fields(fields, block)
}

/// Passes over the CR and LF that close a record.
pub(super) fn skip_line_ends(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let ends = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let more = ends > 0 && ends == bytes.len();
        input.consume(ends);
        if !more {
            return Ok(());
        }
    }
}

/// All lines up to the first empty one, which is read too.
fn read_head(input: &mut impl BufRead) -> Result<Vec<u8>, Flaw> {
    let mut head = Vec::new();
    let mut input = input.take(HEAD_CAP);
    loop {
        let start = head.len();
        input.read_until(b'\n', &mut head)?;
        let line = head.get(start..).unwrap_or_default();
        if line == b"\n" || line == b"\r\n" {
            return Ok(head);
        }
        if !line.ends_with(b"\n") {
            let full = input.limit() == 0;
            let flaw = || Flaw::Damaged(format!("its fields are over {HEAD_CAP} bytes"));
            return Err(if full { flaw() } else { not_ended(&head) });
        }
    }
}

/// Text that is no WARC at all is damaged, not torn.
fn not_ended(head: &[u8]) -> Flaw {
    let is_start = head.starts_with(b"WARC/") || b"WARC/".starts_with(head);
    if is_start {
        return Flaw::Short;
    }
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    Flaw::Damaged(format!("{:?} is no version of WARC", cut(&String::from_utf8_lossy(line))))
}

/// `Name: value` lines; a line that begins with a blank goes on with the one before.
pub(super) fn parse_fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let is_more = line.starts_with([' ', '\t']);
        if let Some((_, value)) = fields.last_mut().filter(|_| is_more) {
            value.push(' ');
            value.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    fields
}

/// Removes a field by its name without regard to case.
pub(super) fn take(fields: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = fields.iter().position(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(fields.remove(at).1)
}

fn read_block(input: &mut impl BufRead, length: u64) -> Result<Vec<u8>, Flaw> {
    let mut block = Vec::new();
    input.take(length).read_to_end(&mut block)?;
    if block.len() as u64 == length { Ok(block) } else { Err(Flaw::Short) }
}

fn pass_over(input: &mut impl BufRead, length: u64) -> Result<(), Flaw> {
    let passed = std::io::copy(&mut input.take(length), &mut std::io::sink())?;
    if passed == length { Ok(()) } else { Err(Flaw::Short) }
}

fn from_fields(mut fields: Vec<(String, String)>, block: Vec<u8>) -> Result<Record, Flaw> {
    let mut need = |name: &str| {
        let message = format!("a WARC record has no {name}");
        take(&mut fields, name).ok_or(Flaw::Skipped { reason: "warc_field", message })
    };
    let kind = Kind::from(need("WARC-Type")?.as_str());
    let id = without_brackets(&need("WARC-Record-ID")?).to_owned();
    let date = need("WARC-Date")?;
    let date = parse_date(&date).ok_or_else(|| Flaw::Skipped {
        reason: "warc_field",
        message: format!("the WARC-Date {:?} of a record is no date", cut(&date)),
    })?;
    let target = take(&mut fields, "WARC-Target-URI");
    // Wget puts the address in angle brackets.
    let target = target.map(|uri| without_brackets(&uri).to_owned());
    Ok(Record { kind, id, date, target, headers: fields, block })
}

fn without_brackets(uri: &str) -> &str {
    uri.strip_prefix('<').and_then(|uri| uri.strip_suffix('>')).unwrap_or(uri)
}

fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|date| date.to_utc())
}

fn cut(text: &str) -> &str {
    let text = text.trim_end();
    text.char_indices().nth(60).map_or(text, |(at, _)| text.get(..at).unwrap_or_default())
}
