//! The captures of one archived run: its parts, the lines of their indexes, and their records.

use crate::warc::cdxj::{self, Line};
use crate::warc::{self, Reader};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_pipeline::{Error, Result};

/// The ending of a part.
const PART: &str = ".warc.gz";
/// No single record is larger than this when a part is read because its index is missing.
const RECORD_CAP: u64 = 1 << 30;
/// An index of this size is held in memory; of larger ones single lines are read.
const HELD: u64 = 32 << 20;
/// A part's offsets take this many bits of a place; parts are sealed long before that.
const OFFSET_BITS: u32 = 40;

/// The indexes of a run's parts.
#[derive(Debug)]
pub(super) struct Indexes {
    folder: PathBuf,
    parts: Vec<Part>,
    /// The place of each capture and where its line begins, ascending by place.
    spots: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Part {
    name: String,
    path: PathBuf,
    bytes: u64,
    index: Index,
}

/// The text of an index.
#[derive(Debug)]
enum Index {
    Held { text: Vec<u8>, path: PathBuf },
    File(PathBuf),
}

impl Indexes {
    /// Reads all lines of a run and hands over each with its place, which says part and offset:
    /// places ascend as the captures were written.
    pub(super) fn read(run: &ArchivedRun, mut on: impl FnMut(u64, Line)) -> Result<Self> {
        let mut indexes = Self { folder: run.folder.clone(), parts: Vec::new(), spots: Vec::new() };
        for file in run.manifest.files.iter().filter(|file| file.path.ends_with(PART)) {
            let path = run.folder.join(&file.path);
            let index = Index::of(&path, &file.path)?;
            indexes.parts.push(Part { name: file.path.clone(), path, bytes: file.bytes, index });
        }
        if indexes.parts.is_empty() {
            return Err(Error::halt(format!("{} holds no {PART} file", run.folder.display()))
                .because("no_captures")
                .help("leave this run out with other dates, or look at it with `verify`"));
        }
        for (number, part) in indexes.parts.iter().enumerate() {
            part.each_line(|at, line| {
                let place = (number as u64) << OFFSET_BITS | line.place.offset;
                indexes.spots.push((place, at));
                on(place, line);
            })?;
        }
        indexes.spots.sort_unstable();
        Ok(indexes)
    }

    /// Whether these are the captures of this run.
    pub(super) fn is_of(&self, run: &ArchivedRun) -> bool {
        self.folder == run.folder
    }

    /// The lines at these places, in their order.
    pub(super) fn lines(&self, places: &[u64]) -> Result<Vec<Line>> {
        let mut readers =
            self.parts.iter().map(|part| part.index.open()).collect::<Result<Vec<_>>>()?;
        let mut lines = Vec::with_capacity(places.len());
        for place in places {
            let spot = self.spots.binary_search_by_key(place, |(place, _)| *place);
            let at = spot.ok().and_then(|spot| self.spots.get(spot)).map(|(_, at)| *at);
            let (Some(at), Some((part, reader))) = (at, self.part_of(*place, &mut readers)) else {
                return Err(self.gone(*place));
            };
            lines.push(part.line_at(reader, at)?);
        }
        Ok(lines)
    }

    fn part_of<'a, R>(&'a self, place: u64, readers: &'a mut [R]) -> Option<(&'a Part, &'a mut R)> {
        let number = usize::try_from(place >> OFFSET_BITS).ok()?;
        Some((self.parts.get(number)?, readers.get_mut(number)?))
    }

    /// The line that the record itself would have: for lines that say too little.
    pub(super) fn line_of_record(&self, line: &Line) -> Result<Line> {
        let (offset, length) = (line.place.offset, line.place.length);
        let part = self.parts.iter().find(|part| part.name == line.place.filename);
        let part = part.ok_or_else(|| self.gone(offset))?;
        let read = || -> Result<Option<Line>> {
            let mut file = File::open(&part.path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut member = Vec::new();
            file.take(length).read_to_end(&mut member)?;
            Line::of(&warc::decode(&member)?, offset, length, &part.name)
        };
        match read() {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(damaged(&part.path, "the index calls a record there a capture", None)),
            Err(error) => Err(damaged(&part.path, &format!("byte {offset}"), Some(error))),
        }
    }

    fn gone(&self, place: u64) -> Error {
        Error::halt(format!("{} has no capture at place {place} any more", self.folder.display()))
            .because("archive_changed")
            .help("somebody changed the archive meanwhile: run `verify`, then begin again")
    }
}

impl Part {
    /// Every line with the offset at which it begins in the index.
    fn each_line(&self, mut on: impl FnMut(u64, Line)) -> Result<()> {
        let (mut reader, mut at, mut number) = (self.index.open()?, 0, 0);
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            let read = read.map_err(|error| unreadable(self.index.path(), error))? as u64;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let bad = |what: String| self.bad_line(&format!("line {number}"), &what);
            on(at, self.parse(&text).map_err(bad)?);
            at += read;
        }
    }

    fn line_at(&self, reader: &mut (impl BufRead + Seek), at: u64) -> Result<Line> {
        let mut text = Vec::new();
        let read =
            reader.seek(SeekFrom::Start(at)).and_then(|_| reader.read_until(b'\n', &mut text));
        read.map_err(|error| unreadable(self.index.path(), error))?;
        self.parse(&text).map_err(|what| self.bad_line(&format!("byte {at}"), &what))
    }

    /// One line, compared with the file that it speaks of.
    fn parse(&self, text: &[u8]) -> Result<Line, String> {
        let text = str::from_utf8(text).map_err(|_| "it is no UTF-8".to_owned())?;
        let line = Line::parse(text).map_err(|error| error.message())?;
        let place = &line.place;
        if place.filename != self.name {
            return Err(format!("it speaks of the file {:?}", place.filename));
        }
        let end = place.offset.checked_add(place.length).filter(|end| *end <= self.bytes);
        if end.is_none() || place.length == 0 || place.offset >> OFFSET_BITS > 0 {
            let (offset, length) = (place.offset, place.length);
            let file = format!("{}, which has {} bytes", self.name, self.bytes);
            return Err(format!("it says {length} bytes at {offset} of {file}"));
        }
        Ok(line)
    }

    fn bad_line(&self, place: &str, what: &str) -> Error {
        let path = self.index.path().display();
        Error::halt(format!("{place} of the index {path} is broken: {what}"))
            .because("cdxj_line")
            .help("run `verify`, which repairs what another archive still has; or leave this run out with other dates")
    }
}

impl Index {
    /// The index beside a part, or one made from the part when it is not there.
    fn of(part: &Path, name: &str) -> Result<Self> {
        let path = part.with_file_name(format!("{}.cdxj", name.trim_end_matches(PART)));
        match File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((bytes, _)) if bytes > HELD => Ok(Self::File(path)),
            Ok((_, mut file)) => {
                let mut text = Vec::new();
                file.read_to_end(&mut text).map_err(|error| unreadable(&path, error))?;
                Ok(Self::Held { text, path })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let lines = indexed(part, name)
                    .map_err(|error| damaged(part, "no index can be made of it", Some(error)))?;
                let text = cdxj::to_text(&lines)?.into_bytes();
                Ok(Self::Held { text, path: part.to_owned() })
            }
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Held { path, .. } | Self::File(path) => path,
        }
    }

    fn open(&self) -> Result<Box<dyn Lines + '_>> {
        match self {
            Self::Held { text, .. } => Ok(Box::new(Cursor::new(text))),
            Self::File(path) => {
                let file = File::open(path).map_err(|error| unreadable(path, error))?;
                Ok(Box::new(BufReader::new(file)))
            }
        }
    }
}

/// The lines of a part, read from its records.
pub(super) fn indexed(part: &Path, name: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for located in Reader::open(part, RECORD_CAP)? {
        let located = located?;
        lines.extend(Line::of(&located.record, located.offset, located.len, name)?);
    }
    Ok(lines)
}

/// An index of which lines are read here and there.
trait Lines: BufRead + Seek {}
impl<R: BufRead + Seek> Lines for R {}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::wait(format!("cannot read {}", path.display()))
        .because("io")
        .help("look whether the disk or share is still there and sound, then begin again")
        .caused_by(error)
}

fn damaged(path: &Path, what: &str, error: Option<Error>) -> Error {
    let why = error.map(|error| format!(": {}", error.message())).unwrap_or_default();
    Error::halt(format!("{}, {what}{why}", path.display()))
        .because("warc_damaged")
        .help("run `verify`, which repairs what another archive still has; or leave this run out with other dates")
}
