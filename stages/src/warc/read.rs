//! Reading a WARC file record by record, in bounded memory, telling where a torn tail begins.

use super::fields::{self, Flaw};
use super::record::Record;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use tidemill_pipeline::{Error, Result, ResultExt};

/// A record and where it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where the record begins, in bytes of the file as it is.
    pub offset: u64,
    /// How long it is there, in bytes: for a `.warc.gz` the gzip member.
    pub len: u64,
    /// The record.
    pub record: Record,
}

/// An iterator over the records of a `.warc` or `.warc.gz` file; which it is, its bytes tell.
///
/// A record that is over the cap or lacks a needed field is told as an error and passed over. Any
/// other error ends the iteration: reason `warc_torn` when the file ends inside of a record, with
/// the offset to which it is whole, and `warc_damaged` when the bytes make no sense.
#[derive(Debug)]
pub struct Reader<R> {
    input: Counted<R>,
    cap: u64,
    good_end: u64,
    ended: bool,
}

impl Reader<BufReader<File>> {
    /// Opens a file; no record's content may be larger than `cap` bytes.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, cap: u64) -> Result<Self> {
        let file = File::open(path).doing(format!("opening {}", path.display()))?;
        Ok(Self::new(BufReader::new(file), cap))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads from any input; no record's content may be larger than `cap` bytes.
    pub fn new(input: R, cap: u64) -> Self {
        Self { input: Counted { inner: input, count: 0 }, cap, good_end: 0, ended: false }
    }

    /// The offset behind the last whole record so far, in bytes.
    ///
    /// After a `warc_torn`, a file that is cut here is whole again.
    #[must_use]
    pub fn good_end(&self) -> u64 {
        self.good_end
    }

    fn one(&mut self) -> Result<Option<Record>, Flaw> {
        let first = self.input.fill_buf()?;
        if first.is_empty() {
            return Ok(None);
        }
        let record =
            if first.starts_with(b"\x1f") { self.gzip_member() } else { self.plain_record() };
        record.map(Some)
    }

    fn gzip_member(&mut self) -> Result<Record, Flaw> {
        let mut text = BufReader::new(GzDecoder::new(&mut self.input));
        let record = match fields::read_record(&mut text, self.cap) {
            // The member is whole, so it is its record that promises too much.
            Err(Flaw::Short) => {
                return Err(Flaw::Damaged("the record is shorter than it says".into()));
            }
            Err(flaw) if !matches!(flaw, Flaw::Skipped { .. }) => return Err(flaw),
            record => record,
        };
        fields::skip_line_ends(&mut text)?;
        if !text.fill_buf()?.is_empty() {
            return Err(Flaw::Damaged("one gzip member holds more than one record".into()));
        }
        record
    }

    fn plain_record(&mut self) -> Result<Record, Flaw> {
        let record = fields::read_record(&mut self.input, self.cap);
        if matches!(record, Ok(_) | Err(Flaw::Skipped { .. })) {
            fields::skip_line_ends(&mut self.input)?;
        }
        record
    }

    fn error(&mut self, flaw: Flaw, offset: u64) -> Error {
        let good = self.good_end;
        let skipped = matches!(flaw, Flaw::Skipped { .. });
        self.ended = !skipped;
        match flaw {
            Flaw::Torn | Flaw::Short => {
                Error::park(format!("the WARC is torn: it is whole up to byte {good}"))
                    .because("warc_torn")
                    .help(format!("restore it from an archive, or cut it to {good} bytes"))
            }
            Flaw::Damaged(what) => Error::park(format!("no WARC record at byte {offset}: {what}"))
                .because("warc_damaged")
                .help(
                    "restore the file from an archive; a file of another program must be WARC/1.x, \
                     plain or with one gzip member per record (`warcio recompress` makes it so)",
                ),
            flaw => flaw.into_error().context(format!("reading the WARC at byte {offset}")),
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Located>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let offset = self.input.count;
        match self.one() {
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some(record)) => {
                self.good_end = self.input.count;
                Some(Ok(Located { offset, len: self.good_end - offset, record }))
            }
            Err(flaw) => {
                if matches!(flaw, Flaw::Skipped { .. }) {
                    self.good_end = self.input.count;
                }
                Some(Err(self.error(flaw, offset)))
            }
        }
    }
}

/// Counts the bytes that were taken.
#[derive(Debug)]
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count += n as u64;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        self.count += amount as u64;
    }
}
