//! `Warc`: a source of pages from WARC files that other programs wrote.

use super::foreign::{self, Passed, Rule};
use super::portion::{Newest, Portion, tell_all};
use crate::fetch::{ArchivedPages, DATASET, Fetcher, Import, Note, Page};
use futures_util::future::try_join_all;
use std::path::PathBuf;
use std::sync::Arc;
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Replay, Result, ResultExt, Sent, Source, Step, Yielded,
};
use tokio::sync::mpsc;

/// The largest body that is taken, in bytes: as the fetcher has it.
const BODY_CAP: u64 = 32 << 20;

/// Yields the pages of WARC files from elsewhere: crawls, exports of ArchiveBox or Browsertrix,
/// `wget --warc-file`.
///
/// Files are `.warc` or `.warc.gz`, plain or with one gzip member per record; folders are searched
/// through with all that is in them. A page is a *response* with a status of 2xx, or a *resource*,
/// whose body is HTML or plain text; revisits, feeds, sitemaps, scripts and pictures are passed
/// over and counted. Its key is its canonical address; of several captures of an address the
/// newest counts, for which all files are read twice and about 60 bytes per address are held.
///
/// Each page that is new or changed is stored in the run's own `raw_scrapes`, with the date at
/// which it was captured, so the files may go once the run is through.
///
/// A file that ends inside of a record yields what is whole and is parked with reason `warc_torn`;
/// one that is no WARC is parked too.
///
/// ```
/// use tidemill_stages::warc::Warc;
/// let crawl = Warc::files(["crawls/2026", "export.warc.gz"]);
/// # let _ = crawl;
/// ```
#[derive(Debug, Clone)]
pub struct Warc {
    paths: Vec<PathBuf>,
    any_type: bool,
}

impl Warc {
    /// These files, and the files in these folders.
    pub fn files(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { paths: paths.into_iter().map(Into::into).collect(), any_type: false }
    }

    /// Whatever the bodies are: PDF, JSON, feeds and pictures as well.
    #[must_use]
    pub fn any_type(mut self) -> Self {
        self.any_type = true;
        self
    }

    fn rule(&self) -> Rule {
        Rule { any_type: self.any_type, cap: BODY_CAP }
    }
}

impl Step for Warc {
    fn name(&self) -> &str {
        "warc"
    }

    fn fills(&self) -> Option<&str> {
        Some(DATASET)
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        let paths: Vec<_> = self.paths.iter().map(|path| path.to_string_lossy()).collect();
        Fingerprint::of(&(paths, self.any_type))
    }

    /// A path that does not exist ends the run before it begins.
    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        let paths = self.paths.clone();
        blocking(move || foreign::files(&paths)).await?;
        Ok(self.fingerprint())
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        Fetcher::of(cx)?.finish(cx).await
    }
}

impl Source for Warc {
    type Item = Page;

    async fn read(&self, out: &Emit<Page>, cx: &Context) -> Result<()> {
        let (paths, rule, own) = (self.paths.clone(), self.rule(), cx.clone());
        let (files, newest) = blocking(move || {
            let files = foreign::files(&paths)?;
            let newest = Newest::of(&files, rule, &own);
            Ok((files, newest))
        })
        .await?;
        // One portion is on its way, one in hand and one being read: memory is bounded by that.
        let (tell, told) = mpsc::channel(1);
        let count = files.len();
        let own = cx.clone();
        let reading = in_run(move || tell_all(&files, rule, newest, &tell, &own));
        let reading = tokio::task::spawn_blocking(reading);
        let Some(tally) = take(told, out, cx).await? else { return Ok(()) };
        reading.await.or_halt().doing("reading WARC files")?;
        cx.say(tally.summary(count));
        Ok(())
    }

    fn replay(&self) -> Option<Arc<dyn Replay<Page>>> {
        Some(Arc::new(ArchivedPages::default()))
    }
}

/// What was found in all files.
#[derive(Debug, Default)]
struct Tally {
    pages: u64,
    passed: Passed,
}

/// Takes portion after portion; `None` when the run takes no more.
async fn take(
    mut told: mpsc::Receiver<Portion>,
    out: &Emit<Page>,
    cx: &Context,
) -> Result<Option<Tally>> {
    let mut tally = Tally::default();
    while let Some(portion) = told.recv().await {
        if cx.stopping() {
            return Ok(None);
        }
        portion.passed.into_iter().for_each(|(why, n)| *tally.passed.entry(why).or_default() += n);
        tally.pages += portion.pages.len() as u64;
        // All at once, so that one sync of the disk is enough for them.
        let ready = portion.pages.iter().map(|page| made_ready(page, out, cx));
        for (page, ready) in portion.pages.iter().zip(try_join_all(ready).await?) {
            if hand_over(page, ready, out).await? == Sent::Stop {
                return Ok(None);
            }
        }
        for (key, error) in portion.parked {
            out.park_with(&key, error, |_| Ok(())).await?;
        }
    }
    Ok(Some(tally))
}

/// A page on its way to the pipeline.
enum Ready {
    /// The run has it already.
    Again,
    /// It is as it was when it was published last.
    Unchanged,
    /// Its body is stored.
    Stored(Box<(Page, Note)>),
}

async fn made_ready(found: &Import, out: &Emit<Page>, cx: &Context) -> Result<Ready> {
    let key = found.url.as_str();
    if let Some(Some(note)) = out.taken::<Note>(key).await?
        && note.content == found.content
    {
        return Ok(Ready::Again);
    }
    if let Some((known, _)) = cx.known::<Note>(key).await?
        && known == found.content
    {
        return Ok(Ready::Unchanged);
    }
    let stored = Fetcher::of(cx)?.import(found, cx).await?;
    Ok(Ready::Stored(Box::new(stored)))
}

async fn hand_over(found: &Import, ready: Ready, out: &Emit<Page>) -> Result<Sent> {
    let key = found.url.as_str();
    match ready {
        Ready::Again => Ok(Sent::Again),
        Ready::Unchanged => out.unchanged_with(key, |_| Ok(())).await,
        Ready::Stored(stored) => {
            let (page, note) = *stored;
            out.send(Yielded::new(key, page).content(note.content).note(&note)?).await
        }
    }
}

impl Tally {
    fn summary(&self, files: usize) -> String {
        let (files, pages) = (counted(files as u64, "WARC file"), counted(self.pages, "page"));
        let passed: Vec<String> = self.passed.iter().map(|(why, n)| format!("{n} {why}")).collect();
        if passed.is_empty() {
            return format!("{files}: {pages}");
        }
        format!("{files}: {pages}; records passed over: {}", passed.join(", "))
    }
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(in_run(work)).await;
    done.map_err(|error| Error::halt("reading WARC files").caused_by(error))?
}
