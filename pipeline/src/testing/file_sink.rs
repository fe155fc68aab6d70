//! The suite for file sinks, and so for what fills a dataset.

use super::breach::{breach, some_of};
use super::given::{Given, item, too_few};
use super::reread;
use super::rig::Rig;
use super::sealed::{Files, Rows, kept_beside, read_files};
use super::step;
use crate::sink::Sealing;
use crate::tier::names;
use crate::{Error, FileSink, Fingerprint, Item, Pipeline, Result};
use std::collections::BTreeSet;
use std::future::ready;
use std::path::{Path, PathBuf};

const LEAST: usize = 2;

/// Datasets that the engine makes by itself.
const OWN: [&str; 2] = ["sqlite", "logs"];

/// Checks that a file sink keeps what the engine relies on.
///
/// | rule | what is wrong when it is the reason |
/// |---|---|
/// | `name_unusable` | the name is no 1 to 64 letters, digits, `-` or `_` |
/// | `name_changes`, `version_changes`, `fingerprint_changes` | asked twice, or of two instances made alike, it says two things |
/// | `dataset_unusable` | the dataset's name is no safe folder name, changes, or is `sqlite` or `logs` |
/// | `nothing_sealed` | there are rows, and no file |
/// | `name_unsafe` | a file's name does not do on every file system, or two names are one where case does not count |
/// | `name_missing` | a name is returned that no file has |
/// | `stray_file` | a file lies there whose name is not returned: a temporary one, most likely |
/// | `names_change`, `bytes_change` | sealed again as after a crash, the files are others (see [`alike`](FileSinkSuite::alike)) |
/// | `rows_ignored` | a row less makes no difference |
/// | `error_swallowed` | a row that cannot be read does not fail the seal |
/// | `torn_file` | half a file lies under its final name when rows are still to come, or when one cannot be read; or a file that is there is written into |
/// | `not_repeatable` | after a crash or an error the next seal fails |
/// | `reread_differs` | it reads its archived files back, and other items come out, or others' keys |
/// | `too_few` | there are fewer than two rows, and the suite cannot fail |
pub struct FileSinkSuite<F, T> {
    make: F,
    rows: Vec<T>,
    alike: Alike,
}

/// Whether two files hold the same rows.
type Alike = Box<dyn Fn(&[u8], &[u8]) -> bool>;

impl<F, T> std::fmt::Debug for FileSinkSuite<F, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSinkSuite").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl<T: Item, S: FileSink<T>, F: Fn() -> S> FileSinkSuite<F, T> {
    /// For the sink that `make` makes, on two rows or more that differ from each other.
    pub fn of(make: F, rows: impl IntoIterator<Item = T>) -> Self {
        Self { make, rows: rows.into_iter().collect(), alike: Box::new(|one, other| one == other) }
    }

    /// Says when two files hold the same rows though their bytes differ: because there is a time in
    /// them, say.
    #[must_use]
    pub fn alike(mut self, alike: impl Fn(&[u8], &[u8]) -> bool + 'static) -> Self {
        self.alike = Box::new(alike);
        self
    }

    /// Goes through all rules.
    ///
    /// # Errors
    /// With the rule's name as reason when one is broken; with the sink's own error when it cannot
    /// seal at all.
    pub async fn check(&self, rig: &Rig) -> Result<()> {
        step::same_each_time(&self.make)?;
        self.dataset_is_usable()?;
        if self.rows.len() < LEAST {
            return Err(too_few("rows", LEAST, self.rows.len()));
        }
        let nothing = folder(rig)?;
        self.sealed(&self.seal(&nothing, Rows::of(&[])).await?, &nothing)?;

        let first = folder(rig)?;
        let whole = self.sealed(&self.seal(&first, self.all()).await?, &first)?;
        if whole.is_empty() {
            let cure = "write the rows into a file and return its name";
            return Err(breach("nothing_sealed", "there are rows and no file", cure));
        }
        if let Some(reader) = (self.make)().replay() {
            reread::reads_back(reader, &first, self.rows.clone()).await?;
        }
        self.seals_twice_alike(&first, &whole).await?;
        self.heeds_each_row(rig, &whole).await?;
        self.leaves_what_is_sealed(rig, &first).await?;
        self.fails_with_its_rows(rig, &whole).await?;
        self.goes_on_after_a_kill(rig, &whole).await?;
        self.runs(rig).await
    }

    fn dataset_is_usable(&self) -> Result<()> {
        let (one, other) = ((self.make)(), (self.make)());
        let name = one.dataset();
        if names::is_safe(name) && !OWN.contains(&name) && name == other.dataset() {
            return Ok(());
        }
        let seen = format!("`{name}` cannot name the dataset (then it says `{}`)", other.dataset());
        Err(breach("dataset_unusable", seen, "use one plain word, each time the same"))
    }

    fn all(&self) -> Rows<T> {
        Rows::of(&self.rows)
    }

    /// All rows but the last.
    fn less(&self) -> Rows<T> {
        Rows::of(self.rows.split_last().map_or(&[], |(_, less)| less))
    }

    /// One seal by a sink of its own, where it may block.
    async fn seal(&self, folder: &Path, mut rows: Rows<T>) -> Result<Vec<String>> {
        let (sink, folder) = ((self.make)(), folder.to_path_buf());
        let sealing = move || {
            let sealing = Sealing {
                pipeline: "suite",
                run: "20260101T060000Z-000000",
                dt: "2026-01-01",
                steps: Fingerprint::nothing(),
                folder: &folder,
            };
            sink.seal(&mut rows, &sealing)
        };
        let panicked = |e| Error::halt("the sink panicked").because("panicked").caused_by(e);
        tokio::task::spawn_blocking(sealing).await.map_err(panicked)?
    }

    /// Seals once more where an earlier try was cut short.
    async fn again(&self, folder: &Path, after: &str) -> Result<Vec<String>> {
        self.seal(folder, self.all()).await.map_err(|error| {
            let seen = format!("after {after} it cannot seal: {}", error.message());
            breach("not_repeatable", seen, "take over what is there: `tier::atomic::Staged` does")
        })
    }

    /// The files of a seal, once names and files agree.
    fn sealed(&self, names: &[String], folder: &Path) -> Result<Files> {
        let files = read_files(folder)?;
        let bad = names.iter().find(|name| !names::is_safe(name)).cloned();
        let twins = names::collision(names.iter().map(String::as_str));
        if let Some(bad) = bad.or_else(|| twins.map(|(one, other)| format!("{one} / {other}"))) {
            let seen = format!("`{bad}` does not do on every file system");
            return Err(breach("name_unsafe", seen, "make it with `tier::names::safe_name`"));
        }
        let missing: Vec<_> = names.iter().filter(|name| !files.contains_key(*name)).collect();
        if !missing.is_empty() {
            let seen = format!("no file has the name {}", some_of(missing));
            return Err(breach(
                "name_missing",
                seen,
                "return the names of the files that are there",
            ));
        }
        let stray: Vec<_> = files.keys().filter(|name| !names.contains(name)).collect();
        if !stray.is_empty() {
            let seen = format!("besides the sealed files there is {}", some_of(stray));
            let cure =
                "return its name, or leave no such file: `tier::atomic::Staged` removes its own";
            return Err(breach("stray_file", seen, cure));
        }
        Ok(files)
    }

    async fn seals_twice_alike(&self, folder: &Path, whole: &Files) -> Result<()> {
        let names = self.again(folder, "a seal").await?;
        if names.iter().collect::<BTreeSet<_>>() != whole.keys().collect() {
            let seen = format!("{} became {}", some_of(whole.keys()), some_of(&names));
            let cure =
                "make the names of the run, not of the time: a crash brings the engine here again";
            return Err(breach("names_change", seen, cure));
        }
        let again = self.sealed(&names, folder)?;
        let changed = again.iter().find(|(name, bytes)| !self.is_whole(name, bytes, whole));
        let Some((name, _)) = changed else { return Ok(()) };
        let seen = format!("`{name}` has other bytes when the same rows are sealed again");
        Err(breach("bytes_change", seen, "write the same bytes, or say when they are `alike`"))
    }

    async fn heeds_each_row(&self, rig: &Rig, whole: &Files) -> Result<()> {
        let folder = folder(rig)?;
        let less = self.sealed(&self.seal(&folder, self.less()).await?, &folder)?;
        let same = less.keys().eq(whole.keys())
            && less.iter().all(|(name, bytes)| self.is_whole(name, bytes, whole));
        if !same {
            return Ok(());
        }
        let seen = "without the last row the files are the same";
        Err(breach("rows_ignored", seen, "write every row that the iterator yields"))
    }

    /// Seals other rows over files that are there: they are replaced, never written into.
    async fn leaves_what_is_sealed(&self, rig: &Rig, sealed: &Path) -> Result<()> {
        let beside = folder(rig)?;
        if !kept_beside(sealed, &beside) {
            return Ok(()); // this file system has no second names for a file: nothing can be seen
        }
        let before = read_files(&beside)?;
        self.seal(sealed, self.less()).await?;
        let after = read_files(&beside)?;
        let written = after.iter().find(|(name, bytes)| before.get(*name) != Some(bytes));
        written.map_or(Ok(()), |(name, _)| Err(torn(name, "is written into while it is there")))
    }

    async fn fails_with_its_rows(&self, rig: &Rig, whole: &Files) -> Result<()> {
        let folder = folder(rig)?;
        // First where nothing is, then over whole files.
        for _ in 0..2 {
            if self.seal(&folder, self.all().torn()).await.is_ok() {
                let seen = "a row cannot be read, and the seal says that all is well";
                let cure = "pass the error on with `?`: the run halts and seals again";
                return Err(breach("error_swallowed", seen, cure));
            }
            self.none_is_torn(&folder, whole, "lies there when a row could not be read")?;
            self.sealed(&self.again(&folder, "an error").await?, &folder)?;
        }
        Ok(())
    }

    /// Looks at the folder, and goes on in a copy of it, as a kill right then would leave it.
    async fn goes_on_after_a_kill(&self, rig: &Rig, whole: &Files) -> Result<()> {
        let (folder, image) = (folder(rig)?, folder(rig)?);
        self.seal(&folder, self.all().copying(&folder, &image)).await?;
        self.none_is_torn(&image, whole, "has its final name while its rows are still taken")?;
        self.sealed(&self.again(&image, "a kill").await?, &image).map(|_| ())
    }

    fn none_is_torn(&self, folder: &Path, whole: &Files, seen: &str) -> Result<()> {
        let files = read_files(folder)?;
        let half = files
            .iter()
            .find(|(name, bytes)| whole.contains_key(*name) && !self.is_whole(name, bytes, whole));
        half.map_or(Ok(()), |(name, _)| Err(torn(name, seen)))
    }

    fn is_whole(&self, name: &str, bytes: &[u8], whole: &Files) -> bool {
        whole.get(name).is_some_and(|expected| (self.alike)(expected, bytes))
    }

    /// A real run: the sink's own check, its preparation, and its items as the ledger spools them.
    async fn runs(&self, rig: &Rig) -> Result<()> {
        let (count, rows) = (self.rows.len(), self.rows.clone());
        let read = Pipeline::named(rig.fresh()).read(Given::many(count, rig.number()));
        let job = read.map(move |number| ready(item(&rows, number)));
        let report = rig.run(job.save((self.make)())).await?;
        if report.items.done == count as u64 {
            return Ok(());
        }
        Err(rig.parked(&report)?)
    }
}

fn torn(name: &str, seen: &str) -> Error {
    let cure = "write beside it and rename: `tier::atomic::Staged` with `commit_over`";
    breach("torn_file", format!("`{name}` {seen}"), cure)
}

/// A new, empty folder.
fn folder(rig: &Rig) -> Result<PathBuf> {
    let folder = rig.folder().join(rig.fresh());
    std::fs::create_dir(&folder)?;
    Ok(folder)
}
