//! A scroll of lines that is sealed well, or breaks one rule of file sinks.

use super::{all_are_broken, names};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tidemill_pipeline::replay::Indexed;
use tidemill_pipeline::sink::{Saved, Sealing};
use tidemill_pipeline::testing::{FileSinkSuite, Rig};
use tidemill_pipeline::tier::ArchivedRun;
use tidemill_pipeline::tier::atomic::Staged;
use tidemill_pipeline::{FileSink, Fingerprint, Replay, Result, Step};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    OddName,
    OtherName,
    OtherVersion,
    OtherFingerprint,
    ReservedDataset,
    NoFile,
    UnsafeName,
    TwinNames,
    NameOfNothing,
    LeavesANote,
    NameOfTheTime,
    BytesOfTheTime,
    FirstRowOnly,
    SkipsUnreadable,
    WritesInPlace,
    WritesInPlaceAtTheEnd,
    TakesTheNameOnce,
    TakesTheTempOnce,
    RereadsOthers,
    OneRow,
}

const BROKEN: [(Fault, &str); 20] = [
    (Fault::OddName, "name_unusable"),
    (Fault::OtherName, "name_changes"),
    (Fault::OtherVersion, "version_changes"),
    (Fault::OtherFingerprint, "fingerprint_changes"),
    (Fault::ReservedDataset, "dataset_unusable"),
    (Fault::NoFile, "nothing_sealed"),
    (Fault::UnsafeName, "name_unsafe"),
    (Fault::TwinNames, "name_unsafe"),
    (Fault::NameOfNothing, "name_missing"),
    (Fault::LeavesANote, "stray_file"),
    (Fault::NameOfTheTime, "names_change"),
    (Fault::BytesOfTheTime, "bytes_change"),
    (Fault::FirstRowOnly, "rows_ignored"),
    (Fault::SkipsUnreadable, "error_swallowed"),
    (Fault::WritesInPlace, "torn_file"),
    (Fault::WritesInPlaceAtTheEnd, "torn_file"),
    (Fault::TakesTheNameOnce, "not_repeatable"),
    (Fault::TakesTheTempOnce, "not_repeatable"),
    (Fault::RereadsOthers, "reread_differs"),
    (Fault::OneRow, "too_few"),
];

struct Scroll {
    fault: Fault,
    made: u32,
}

impl Scroll {
    fn with(fault: Fault) -> impl Fn() -> Self {
        let made = AtomicU32::new(0);
        move || Self { fault, made: made.fetch_add(1, SeqCst) }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn file_name(&self) -> String {
        match self.fault {
            Fault::UnsafeName => "scroll: 1.txt".into(),
            Fault::NameOfTheTime => format!("scroll-{}.txt", self.made),
            _ => "scroll.txt".into(),
        }
    }

    fn write(&self, path: &Path, lines: impl Iterator<Item = Result<String>>) -> Result<()> {
        match self.fault {
            Fault::WritesInPlace => write_all(&mut File::create(path)?, lines),
            Fault::WritesInPlaceAtTheEnd => {
                let all = lines.collect::<Result<Vec<_>>>()?.join("\n");
                Ok(File::create(path)?.write_all(all.as_bytes())?)
            }
            Fault::TakesTheTempOnce => {
                let temp = path.with_extension("temp");
                write_all(&mut File::create_new(&temp)?, lines)?;
                Ok(std::fs::rename(temp, path)?)
            }
            _ => {
                let mut file = Staged::create(path)?;
                write_all(&mut file, lines)?;
                if self.is(Fault::TakesTheNameOnce) { file.commit() } else { file.commit_over() }
            }
        }
    }
}

fn write_all(file: &mut impl Write, lines: impl Iterator<Item = Result<String>>) -> Result<()> {
    for line in lines {
        writeln!(file, "{}", line?)?;
    }
    Ok(())
}

impl Step for Scroll {
    fn name(&self) -> &str {
        match self.fault {
            Fault::OddName => "scroll of lines",
            Fault::OtherName if self.made > 0 => "roll",
            _ => "scroll",
        }
    }

    fn version(&self) -> u32 {
        if self.is(Fault::OtherVersion) { self.made } else { 1 }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&if self.is(Fault::OtherFingerprint) { self.made } else { 0 })
    }
}

impl FileSink<String> for Scroll {
    fn dataset(&self) -> &str {
        if self.is(Fault::ReservedDataset) { "sqlite" } else { "scrolls" }
    }

    fn seal(
        &self,
        rows: &mut dyn Iterator<Item = Result<Saved<String>>>,
        sealing: &Sealing<'_>,
    ) -> Result<Vec<String>> {
        let name = self.file_name();
        let few = if self.is(Fault::FirstRowOnly) { 1 } else { usize::MAX };
        let skips = self.is(Fault::SkipsUnreadable);
        let time = self.is(Fault::BytesOfTheTime).then(|| Ok(self.made.to_string()));
        let readable = rows.filter(|row| row.is_ok() || !skips).map(|row| Ok(row?.item));
        let mut lines = time.into_iter().chain(readable).take(few).peekable();
        if self.is(Fault::NoFile) || lines.peek().is_none() {
            return Ok(Vec::new());
        }
        self.write(&sealing.folder.join(&name), lines)?;
        let more = match self.fault {
            Fault::LeavesANote => "a note.txt",
            Fault::TwinNames => "Scroll.txt",
            Fault::NameOfNothing => "index.txt",
            _ => return Ok(vec![name]),
        };
        if !self.is(Fault::NameOfNothing) {
            File::create(sealing.folder.join(more))?;
        }
        Ok(if self.is(Fault::LeavesANote) { vec![name] } else { vec![name, more.into()] })
    }

    fn replay(&self) -> Option<Arc<dyn Replay<String>>> {
        match self.fault {
            Fault::None => Some(Arc::new(Rereads { upper: false })),
            Fault::RereadsOthers => Some(Arc::new(Rereads { upper: true })),
            _ => None,
        }
    }
}

/// Reads scrolls back, or what they should have been.
struct Rereads {
    upper: bool,
}

impl Rereads {
    fn lines(&self, run: &ArchivedRun) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(run.folder.join("scroll.txt"))?;
        let text = if self.upper { text.to_uppercase() } else { text };
        Ok(text.lines().map(str::to_string).collect())
    }
}

impl Replay<String> for Rereads {
    fn columns(&self, _runs: &[ArchivedRun]) -> Result<Vec<String>> {
        Ok(vec![])
    }

    fn index(&self, run: &ArchivedRun, _columns: &[String]) -> Result<Vec<Indexed>> {
        let of = |place| Indexed {
            key: format!("item-{}", place + 1),
            place,
            content: None,
            values: vec![],
        };
        Ok((0..self.lines(run)?.len() as u64).map(of).collect())
    }

    fn items(&self, run: &ArchivedRun, places: &[u64]) -> Result<Vec<String>> {
        let lines = self.lines(run)?;
        Ok(places.iter().map(|place| lines[*place as usize].clone()).collect())
    }
}

fn suite<F: Fn() -> Scroll>(make: F, rows: usize) -> FileSinkSuite<F, String> {
    FileSinkSuite::of(make, ["ebb", "flow", "slack"].into_iter().take(rows).map(String::from))
}

#[tokio::test]
async fn a_good_scroll_passes_and_so_does_one_whose_files_are_alike() {
    let rig = Rig::new().unwrap();
    suite(Scroll::with(Fault::None), 3).check(&rig).await.unwrap();
    let rows =
        |file: &[u8]| String::from_utf8_lossy(file).lines().skip(1).collect::<Vec<_>>().join("|");
    let alike = suite(Scroll::with(Fault::BytesOfTheTime), 3);
    alike.alike(move |one, other| rows(one) == rows(other)).check(&rig).await.unwrap();
}

#[tokio::test]
async fn a_broken_file_sink_is_told_which_rule_it_breaks() {
    for (fault, rule) in BROKEN {
        let rows = if fault == Fault::OneRow { 1 } else { 3 };
        names(rule, suite(Scroll::with(fault), rows).check(&Rig::new().unwrap()).await);
    }
    all_are_broken("file_sink.rs", BROKEN.into_iter().map(|(_, rule)| rule));
}
