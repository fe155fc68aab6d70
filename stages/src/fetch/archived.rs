//! Archived pages: the captures of earlier runs, read back as the pages that they were.

use super::indexes::Indexes;
use super::page::Page;
use crate::warc::cdxj::Line;
use chrono::SecondsFormat;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemill_pipeline::replay::Indexed;
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_pipeline::{Blob, Error, Replay, Result};

/// What a person may ask for in an expression.
const COLUMNS: [&str; 6] = ["url", "final_url", "status", "content_type", "captured_at", "length"];

/// Reads `raw_scrapes` back as pages, by the indexes beside the WARC files. Bodies stay where they
/// are: a page refers to its own, as it did when it was fetched.
///
/// A capture is the item whose key the archive says. Two items of one run that led to the same
/// address have one capture, and it has the key of the first.
///
/// The columns are `url`, `final_url`, `status` (a number), `content_type`, `captured_at` (RFC
/// 3339, UTC) and `length` (bytes of the record as it is stored, compressed). Of the first archives,
/// whose indexes say less, `content_type` lacks its parameters and `final_url` is `null`.
#[derive(Debug, Default)]
pub(crate) struct ArchivedPages {
    /// The run that was read last: items are asked for in portions.
    indexes: Mutex<Option<Indexes>>,
}

impl ArchivedPages {
    fn held(&self) -> MutexGuard<'_, Option<Indexes>> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay<Page> for ArchivedPages {
    fn columns(&self, _runs: &[ArchivedRun]) -> Result<Vec<String>> {
        Ok(COLUMNS.map(str::to_owned).to_vec())
    }

    fn index(&self, run: &ArchivedRun, columns: &[String]) -> Result<Vec<Indexed>> {
        let (mut unclear, mut found) = (Vec::new(), Vec::new());
        let mut held = self.held();
        *held = None; // two at once are too much
        let indexes = Indexes::read(run, |place, line| match Told::of(&line) {
            Told::Item => found.push(indexed(place, line, columns)),
            Told::No => {}
            Told::Unclear => unclear.push((place, line)),
        })?;
        for (place, line) in unclear {
            let line = indexes.line_of_record(&line)?;
            if line.place.item {
                found.push(indexed(place, line, columns));
            }
        }
        *held = Some(indexes);
        found.sort_unstable_by_key(|item| item.place);
        Ok(found)
    }

    fn items(&self, run: &ArchivedRun, places: &[u64]) -> Result<Vec<Page>> {
        let mut held = self.held();
        let indexes = match held.take().filter(|indexes| indexes.is_of(run)) {
            Some(indexes) => indexes,
            None => Indexes::read(run, |_, _| ())?,
        };
        let lines = indexes.lines(places)?.into_iter();
        let whole = lines.map(|line| match line.place.blake3 {
            Some(_) => Ok(line),
            None => indexes.line_of_record(&line),
        });
        let pages = whole.map(|line| page(run, line?)).collect();
        *held = Some(indexes);
        pages
    }
}

/// What a line tells of items.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Item,
    No,
    /// An older line: only the record shows whether it is a page or a list of pages.
    Unclear,
}

impl Told {
    fn of(line: &Line) -> Self {
        let place = &line.place;
        let status = place.status.as_deref().and_then(|text| text.parse::<u16>().ok());
        let is_capture = status.is_some_and(|code| (200..300).contains(&code));
        if !is_capture || place.is_revisit() || !place.item {
            return Self::No;
        }
        let is_html = matches!(place.mime.as_str(), "text/html" | "application/xhtml+xml");
        if place.blake3.is_some() || is_html { Self::Item } else { Self::Unclear }
    }
}

fn indexed(place: u64, line: Line, columns: &[String]) -> Indexed {
    let values = columns.iter().map(|column| value(&line, column)).collect();
    let content = line.place.blake3;
    Indexed { key: line.place.key.unwrap_or(line.place.url), place, content, values }
}

/// The value of a column; `null` where the line does not tell.
fn value(line: &Line, column: &str) -> Value {
    let place = &line.place;
    match column {
        "url" => place.url.as_str().into(),
        "final_url" if place.blake3.is_some() => place.final_url().into(),
        "status" => place.status.as_deref().and_then(|text| text.parse::<u16>().ok()).into(),
        "content_type" => place.full_type().into(),
        "captured_at" => captured_at(line).into(),
        "length" => place.length.into(),
        _ => Value::Null,
    }
}

fn captured_at(line: &Line) -> String {
    line.date.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn page(run: &ArchivedRun, line: Line) -> Result<Page> {
    let status = line.place.status.as_deref().and_then(|text| text.parse().ok());
    let (Some(blake3), Some(status)) = (line.place.blake3, status) else {
        return Err(Error::halt(format!(
            "the record at byte {} of {} is no response",
            line.place.offset,
            run.folder.join(&line.place.filename).display()
        ))
        .because("warc_damaged")
        .help("its index leads to the wrong place: run `verify`"));
    };
    let (fetched_at, place) = (captured_at(&line), line.place);
    Ok(Page {
        final_url: place.final_url().to_owned(),
        status,
        content_type: place.full_type().map(str::to_owned),
        fetched_at,
        body: Blob {
            dataset: run.dataset.clone(),
            run: run.run.clone(),
            part: place.filename,
            offset: place.offset,
            len: place.length,
            blake3,
        },
        url: place.url,
    })
}
