//! One record as one gzip member, and back.

use super::fields;
use super::record::{Record, date_text};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{BufRead, BufReader, Read, Write};
use tidemill_pipeline::{Error, Result};

/// The level of compression: higher ones gain under one percent on web pages.
const LEVEL: u32 = 6;

/// The largest content that is decoded in one piece, in bytes: the size at which a part is sealed.
const CAP: u64 = 1 << 30;

/// A record as one gzip member, ready to be appended to a `.warc.gz` file.
///
/// The same record always gives the same bytes.
///
/// # Errors
/// When a field holds a line end or another control character: it could forge a second field.
pub fn encode(record: &Record) -> Result<Vec<u8>> {
    let mut member = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    member.write_all(head(record)?.as_bytes())?;
    member.write_all(&record.block)?;
    member.write_all(b"\r\n\r\n")?;
    Ok(member.finish()?)
}

/// Exactly one gzip member back to its record, as it is found by offset and length.
///
/// # Errors
/// When the bytes are not one whole gzip member that holds one whole record.
pub fn decode(member: &[u8]) -> Result<Record> {
    let mut rest = member;
    let mut text = BufReader::new(GzDecoder::new(&mut rest));
    let record = fields::read_record(&mut text, CAP).map_err(fields::Flaw::into_error)?;
    fields::skip_line_ends(&mut text)?;
    if !text.fill_buf()?.is_empty() {
        return Err(broken("the gzip member goes on behind its record"));
    }
    // Reading to the very end checks the member's CRC.
    text.into_inner().read_to_end(&mut Vec::new())?;
    if !rest.is_empty() {
        return Err(broken("there are bytes behind the gzip member"));
    }
    Ok(record)
}

fn broken(what: &str) -> Error {
    Error::park(format!("this is not one WARC record: {what}"))
        .because("warc_damaged")
        .help("the offset and length do not fit the file: rebuild its index, or restore the file")
}

fn head(record: &Record) -> Result<String> {
    let mut head = String::from("WARC/1.1\r\n");
    push(&mut head, "WARC-Type", record.kind.as_str())?;
    push(&mut head, "WARC-Record-ID", &format!("<{}>", record.id))?;
    push(&mut head, "WARC-Date", &date_text(record.date))?;
    if let Some(target) = &record.target {
        push(&mut head, "WARC-Target-URI", target)?;
    }
    for (name, value) in &record.headers {
        push(&mut head, name, value)?;
    }
    push(&mut head, "Content-Length", &record.block.len().to_string())?;
    head.push_str("\r\n");
    Ok(head)
}

fn push(head: &mut String, name: &str, value: &str) -> Result<()> {
    let is_token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if !is_token || value.contains(|c: char| c.is_control() && c != '\t') {
        return Err(Error::park(format!("the WARC field {name:?} cannot be written"))
            .because("warc_field")
            .help("names are printable ASCII without `:`, and values hold no control characters"));
    }
    head.push_str(name);
    head.push_str(": ");
    head.push_str(value);
    head.push_str("\r\n");
    Ok(())
}
