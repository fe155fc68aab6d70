//! WARC files of other programs: which there are, and which of their records are pages.

use super::http::http_within;
use super::read::Reader;
use super::record::{Kind, Record};
use crate::fetch::Import;
use crate::fetch::canonical::{canonical, scrubbed};
use crate::fetch::sniff::{self, sniff};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidemill_pipeline::{Error, Fingerprint, Result};
use url::Url;

/// A record holds the head of its response too.
const HEAD: u64 = 1 << 20;

/// Which records are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Whatever a body is.
    pub(super) any_type: bool,
    /// The largest body that is taken, decoded, in bytes.
    pub(super) cap: u64,
}

/// What a record is, or the rest of a file.
#[derive(Debug)]
pub(super) enum Found {
    /// A page.
    Page(Box<Import>),
    /// It should be a page, and cannot be used; with its key.
    Unusable(String, Error),
    /// No page, and why.
    Passed(&'static str),
    /// The file cannot be read from here on.
    Broken(Error),
}

/// How many records were passed over, by reason.
pub(super) type Passed = BTreeMap<&'static str, u64>;

/// The files that are meant, each folder's in the order of their paths.
///
/// # Errors
/// *Halt* when a path does not exist or cannot be read, or there is no WARC file at all.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let about = path.metadata().map_err(|error| unreadable(path, error))?;
        if about.is_dir() {
            add_folder(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Error::halt(format!("no WARC file in {}", names.join(", ")))
            .because("no_warc_files")
            .help("name files that end with .warc or .warc.gz, or folders in which some lie"));
    }
    Ok(found)
}

fn add_folder(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.map_err(|error| unreadable(folder, error))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort_unstable();
    for path in paths {
        let about = path.symlink_metadata().map_err(|error| unreadable(&path, error))?;
        // A link to a folder may lead in circles.
        if about.is_dir() {
            add_folder(&path, found)?;
        } else if has_a_warc_name(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// `.wacz` too, so that it is not left out without a word.
fn has_a_warc_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let is_hidden = name.starts_with('.');
    !is_hidden && [".warc", ".warc.gz", ".wacz"].iter().any(|ending| name.ends_with(ending))
}

/// Goes through a file; `on` says whether to go on.
pub(super) fn walk(path: &Path, rule: Rule, mut on: impl FnMut(Found) -> bool) {
    let reader = match is_zip(path).and_then(|()| Reader::open(path, rule.cap.saturating_add(HEAD)))
    {
        Ok(reader) => reader,
        Err(error) => {
            on(Found::Broken(error));
            return;
        }
    };
    for located in reader {
        let found = match located {
            Ok(located) => judged(&located.record, rule),
            Err(error) => flaw(path, error),
        };
        if !on(found) {
            return;
        }
    }
}

/// What the reader says of a record that it could not read.
fn flaw(path: &Path, error: Error) -> Found {
    match error.reason() {
        "warc_too_large" => Found::Passed("too large"),
        "warc_field" => Found::Passed("without a needed field"),
        _ => Found::Broken(error.context(path.display())),
    }
}

fn is_zip(path: &Path) -> Result<()> {
    use std::io::Read;
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, error))?;
    file.take(4).read_to_end(&mut start).map_err(|error| unreadable(path, error))?;
    if start != b"PK\x03\x04" {
        return Ok(());
    }
    Err(Error::park(format!("{} is a ZIP file", path.display())).because("wacz").help(
        "unpack it (`unzip FILE -d FOLDER`) and name the folder: its WARC files lie in `archive`",
    ))
}

/// What a record is.
fn judged(record: &Record, rule: Rule) -> Found {
    let url = match page_url(record) {
        Ok(url) => url,
        Err(why) => return Found::Passed(why),
    };
    let (status, headers, body) = match &record.kind {
        Kind::Response if !is_2xx(record) => return Found::Passed("not answered with 2xx"),
        Kind::Response => match http_within(record, rule.cap) {
            Ok(part) => (part.status, part.headers, part.body),
            Err(error) if rule.any_type || looks_like_page(record) => {
                return Found::Unusable(url.into(), error);
            }
            Err(_) => return Found::Passed("of other types"),
        },
        _ => resource(record),
    };
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.map(|(_, value)| value.as_str());
    if body.is_empty() {
        return Found::Passed("empty");
    }
    if !rule.any_type && !is_page(&url, content_type, &body) {
        return Found::Passed("of other types");
    }
    let content = Fingerprint::of_bytes(&body);
    Found::Page(Box::new(Import { url, date: record.date, status, headers, body, content }))
}

/// The key of a record that may be a page, or why it is none.
fn page_url(record: &Record) -> Result<Url, &'static str> {
    match &record.kind {
        Kind::Response => {}
        Kind::Other(name) if name == "resource" => {}
        Kind::Revisit => return Err("revisits"),
        _ => return Err("about other records"),
    }
    let target = record.target.as_deref().unwrap_or_default();
    match Url::parse(target) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(scrubbed(&canonical(&url))),
        _ => Err("without a web address"),
    }
}

/// A resource has no status: whoever stored it had it.
fn resource(record: &Record) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let content_type = record.header("Content-Type");
    let headers = content_type.map(|value| ("Content-Type".to_owned(), value.to_owned()));
    (200, headers.into_iter().collect(), record.block.clone())
}

/// Web pages, and plain text that a person wrote. Stylesheets and scripts are text as well.
fn is_page(url: &Url, content_type: Option<&str>, body: &[u8]) -> bool {
    let declared = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_prose = matches!(declared.to_ascii_lowercase().as_str(), "text/plain" | "text/markdown");
    match sniff(content_type, body) {
        sniff::Kind::Html => true,
        sniff::Kind::Text => is_prose && url.path() != "/robots.txt",
        _ => false,
    }
}

/// By the status line alone: the body of an error need not be decoded.
fn is_2xx(record: &Record) -> bool {
    let line = record.block.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1).is_some_and(|status| status.len() == 3 && status.starts_with(b"2"))
}

/// Whether the head of a response that cannot be used calls it a page.
fn looks_like_page(record: &Record) -> bool {
    let head = record.block.get(..4096).unwrap_or(&record.block);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.split("\r\n\r\n").next().is_some_and(|head| head.contains("content-type: text/html"))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::halt(format!("cannot read {}", path.display()))
        .because("unreadable")
        .help("look whether it is there and whether the user that runs the mill may read it")
        .caused_by(error)
}
