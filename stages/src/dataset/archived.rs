//! `Archived`: a source of what earlier runs saved, for new pipelines.

use super::Parquet;
use super::newest::key_hash;
use super::shelf::{Day, archive_at, runs_of};
use crate::shape::columns;
use chrono::NaiveDate;
use std::collections::HashSet;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use tidemill_pipeline::ledger::RunRow;
use tidemill_pipeline::replay::Indexed;
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::tier::{ArchivedRun, Wanted};
use tidemill_pipeline::{
    Context, Emit, Error, FileSink, Fingerprint, Item, Replay, Result, ResultExt, Sent, Source,
    Step, Yielded,
};

/// Items that are read and handed over at once.
const TOGETHER: usize = 256;

/// Yields what earlier runs saved into a [`Parquet`] dataset, oldest run first.
///
/// Of each key the newest version in the range is yielded, with the key that it had; what was seen
/// last time is unchanged. Without [`of`](Archived::of) all pipelines of the archive are read, and a
/// key that two of them have counts as one. Runs that this home took back are passed over.
///
/// The archive is the folder of [`at`](Archived::at), or else of the environment variable
/// `TIDEMILL_ARCHIVE`. A range that is counted back (`"7d"`) begins so many days before the date
/// that the run is filed under.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill_stages::dataset::Archived;
///
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Summary { url: String, summary: String }
///
/// let week = Archived::dataset::<Summary>("llm_summaries").of("news").since("7d");
/// # let _ = week;
/// ```
#[derive(Debug)]
pub struct Archived<T> {
    dataset: String,
    pipeline: Option<String>,
    at: Option<PathBuf>,
    since: Option<Day>,
    until: Option<Day>,
    every_version: bool,
    of: PhantomData<fn() -> T>,
}

impl Archived<()> {
    /// What was saved into this dataset.
    #[must_use]
    pub fn dataset<T: Item>(name: impl Into<String>) -> Archived<T> {
        Archived {
            dataset: name.into(),
            pipeline: None,
            at: None,
            since: None,
            until: None,
            every_version: false,
            of: PhantomData,
        }
    }
}

impl<T: Item> Archived<T> {
    /// By this pipeline only.
    #[must_use]
    pub fn of(mut self, pipeline: impl Into<String>) -> Self {
        self.pipeline = Some(pipeline.into());
        self
    }

    /// From the archive in this folder.
    #[must_use]
    pub fn at(mut self, folder: impl Into<PathBuf>) -> Self {
        self.at = Some(folder.into());
        self
    }

    /// Filed under this date or a later one: a date, `"2026-11-20"`, or `"7d"` for seven days back.
    #[must_use]
    pub fn since(mut self, day: impl Into<Day>) -> Self {
        self.since = Some(day.into());
        self
    }

    /// Filed under this date or an earlier one, as [`since`](Archived::since) has it.
    #[must_use]
    pub fn until(mut self, day: impl Into<Day>) -> Self {
        self.until = Some(day.into());
        self
    }

    /// Every version of each key; the keys are `key@run`.
    #[must_use]
    pub fn every_version(mut self) -> Self {
        self.every_version = true;
        self
    }

    fn place(&self) -> Result<PathBuf> {
        let set = || std::env::var_os("TIDEMILL_ARCHIVE").filter(|place| !place.is_empty());
        self.at.clone().or_else(|| set().map(PathBuf::from)).ok_or_else(|| {
            Error::halt(format!("it is not said in which archive `{}` lies", self.dataset))
                .because("no_archive")
                .help("name the archive's folder with `.at(..)`, with --archive, or in TIDEMILL_ARCHIVE")
        })
    }

    fn wanted(&self, today: NaiveDate) -> Result<Wanted> {
        let date = |day: &Option<Day>| day.as_ref().map(|day| day.date(today)).transpose();
        Ok(Wanted {
            dataset: Some(self.dataset.clone()),
            pipeline: self.pipeline.clone(),
            since: date(&self.since)?,
            until: date(&self.until)?,
            ..Wanted::default()
        })
    }

    /// The shelf of this run, with the places of what it is to yield.
    async fn chosen(&self, cx: &Context, only: Option<String>) -> Result<Chosen<T>> {
        let (place, wanted) = (self.place()?, self.wanted(cx.run()?.dt.parse()?)?);
        let (reader, every) = (reader::<T>(&self.dataset)?, self.every_version);
        let gone = cx.ledger().read(RunRow::taken_back).await?;
        blocking(move || {
            let mut runs = runs_of(&archive_at(&place)?, &wanted)?;
            runs.retain(|run| !gone.contains(&run.run));
            let places = pick(&runs, &*reader, every, only.as_deref())?;
            Ok(Chosen { reader, runs: runs.into_iter().map(Arc::new).collect(), places })
        })
        .await
    }
}

fn reader<T: Item>(dataset: &str) -> Result<Arc<dyn Replay<T>>> {
    FileSink::<T>::replay(&Parquet::dataset(dataset))
        .ok_or_else(|| Error::halt(format!("nobody reads `{dataset}`")))
}

/// What is yielded: places in each run, in the order of the runs.
struct Chosen<T> {
    reader: Arc<dyn Replay<T>>,
    runs: Vec<Arc<ArchivedRun>>,
    places: Vec<Vec<u64>>,
}

/// The places of what is yielded. From the newest run to the oldest, because the newest version
/// counts; of a key 16 bytes of its hash are held, and the keys are read again run by run.
fn pick<T>(
    runs: &[ArchivedRun],
    reader: &dyn Replay<T>,
    every: bool,
    only: Option<&str>,
) -> Result<Vec<Vec<u64>>> {
    let (mut seen, mut picked) = (HashSet::new(), Vec::with_capacity(runs.len()));
    for run in runs.iter().rev() {
        let mut places = Vec::new();
        for item in reader.index(run, &[])?.iter().rev() {
            let meant = only.is_none_or(|key| key == item.key);
            if meant && (every || seen.insert(key_hash(&item.key))) {
                places.push(item.place);
            }
        }
        places.reverse();
        picked.push(places);
    }
    picked.reverse();
    Ok(picked)
}

impl<T: Item> Step for Archived<T> {
    fn name(&self) -> &str {
        "archived"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        let days = format!("{:?} {:?}", self.since, self.until);
        Fingerprint::of(&(&self.dataset, &self.pipeline, days, self.every_version))
    }

    /// What cannot be read at all ends the run before it begins.
    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        columns::<T>()?;
        let place = self.place()?;
        self.wanted(NaiveDate::default())?;
        blocking(move || archive_at(&place)).await?;
        Ok(self.fingerprint())
    }
}

impl<T: Item> Source for Archived<T> {
    type Item = T;

    async fn read(&self, out: &Emit<T>, cx: &Context) -> Result<()> {
        let chosen = self.chosen(cx, None).await?;
        for (run, places) in chosen.runs.iter().zip(&chosen.places) {
            let index = chosen.index(run, places.clone()).await?;
            for some in index.chunks(TOGETHER) {
                if cx.stopping() {
                    return Ok(());
                }
                let yielded = chosen.items(run, some.to_vec(), self.every_version).await?;
                if out.send_all(yielded).await? == Sent::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The newest version of what has this key.
    async fn single(&self, key: &str, cx: &Context) -> Result<Yielded<T>> {
        let chosen = self.chosen(cx, Some(key.to_owned())).await?;
        for (run, places) in chosen.runs.iter().zip(&chosen.places).rev() {
            let Some(last) = places.last() else { continue };
            let index = chosen.index(run, vec![*last]).await?;
            if let Some(item) = chosen.items(run, index, false).await?.pop() {
                return Ok(item);
            }
        }
        Err(Error::halt(format!("`{}` has nothing with the key {key} in that range", self.dataset))
            .because("usage")
            .help("`tidemill dataset head` shows keys, in the column `_key`"))
    }
}

impl<T: Item> Chosen<T> {
    /// What lies at these places of a run, which ascend.
    async fn index(&self, run: &Arc<ArchivedRun>, places: Vec<u64>) -> Result<Vec<Indexed>> {
        let (reader, run) = (Arc::clone(&self.reader), Arc::clone(run));
        blocking(move || {
            let mut index = if places.is_empty() { Vec::new() } else { reader.index(&run, &[])? };
            index.retain(|item| places.binary_search(&item.place).is_ok());
            Ok(index)
        })
        .await
    }

    /// These items of a run.
    async fn items(
        &self,
        run: &Arc<ArchivedRun>,
        index: Vec<Indexed>,
        every: bool,
    ) -> Result<Vec<Yielded<T>>> {
        let (reader, run) = (Arc::clone(&self.reader), Arc::clone(run));
        blocking(move || {
            let places: Vec<u64> = index.iter().map(|item| item.place).collect();
            let items = reader.items(&run, &places)?;
            let yielded = |(indexed, item): (Indexed, T)| {
                let content = Fingerprint::of(&(&run.run, indexed.content));
                let key = if every { format!("{}@{}", indexed.key, run.run) } else { indexed.key };
                Yielded::new(key, item).content(content)
            };
            Ok(index.into_iter().zip(items).map(yielded).collect())
        })
        .await
    }
}

/// An archive may hang; the runtime's threads must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(in_run(work)).await.or_halt().doing("reading the archive")?
}
