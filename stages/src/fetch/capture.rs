//! Captures: records are appended to the run's WARC part, synced in groups, then committed.

use super::indexes::indexed;
use super::schema;
use crate::warc::{self, Part, Record};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_pipeline::clock::Clock;
use tidemill_pipeline::ledger::{Ledger, Tx};
use tidemill_pipeline::run::in_run;
use tidemill_pipeline::{Blob, Context, Error, Fingerprint, Result, ResultExt};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

/// The dataset that the fetcher owns.
pub(crate) const DATASET: &str = "raw_scrapes";
/// A part is full at 512 MiB: far below what FAT32 and old devices take.
const PART_FULL: u64 = 512 << 20;

type Own = Box<dyn FnOnce(&Tx<'_>, Blob) -> Result<()> + Send>;

/// One record on its way into the file.
struct Job {
    member: Vec<u8>,
    body: Fingerprint,
    own: Own,
    done: oneshot::Sender<Result<Blob>>,
}

/// The open WARC of one run.
#[derive(Debug)]
pub(super) struct Archivist {
    queue: mpsc::Sender<Job>,
    worker: tokio::task::JoinHandle<()>,
}

impl Archivist {
    /// Opens the run's WARC where it was left: what was not committed is cut off.
    pub(super) async fn open(cx: &Context) -> Result<Self> {
        let run = cx.run()?.clone();
        let folder = cx.folder(DATASET)?;
        // Offsets that are queued count: what lies behind the last one is cut off.
        cx.ledger().flush().await?;
        let number = cx
            .ledger()
            .read({
                let no = run.no;
                move |read| Ok(schema::parts(read, no)?.last().copied().unwrap_or(0))
            })
            .await?;
        // A run that was killed between seal and publish has a sealed part: the next one is begun.
        let sealed = folder.join(format!("part-{number:04}.warc.gz")).exists();
        let number = if sealed { number + 1 } else { number };
        let no = run.no;
        let end = cx.ledger().read(move |read| schema::committed_end(read, no, number)).await?;
        let (queue, jobs) = mpsc::channel(256);
        let (ledger, clock) = (cx.ledger().clone(), Arc::clone(cx.clock()));
        let open = Open { folder, number, run: run.id, run_no: no, ledger, clock };
        let part = open.part(end, cx.now()).await?;
        let worker = tokio::spawn(open.work(part, jobs).in_current_span());
        Ok(Self { queue, worker })
    }

    /// Whether it still writes: a full disk ends it, and the run.
    fn is_alive(&self) -> bool {
        !self.worker.is_finished()
    }

    /// Returns when what was queued is written and nobody writes to the file any more.
    async fn end(self) {
        drop(self.queue);
        if let Err(error) = self.worker.await {
            tracing::error!(%error, "the WARC writer failed; what it had not committed is cut off");
        }
    }

    /// Stores a record; `own` is written to the ledger together with the offset, and both are
    /// only written after the record is durable.
    pub(super) async fn store(
        &self,
        record: &Record,
        body: Fingerprint,
        own: impl FnOnce(&Tx<'_>, Blob) -> Result<()> + Send + 'static,
    ) -> Result<Blob> {
        let member = warc::encode(record)?;
        let (done, stored) = oneshot::channel();
        let job = Job { member, body, own: Box::new(own), done };
        self.queue.send(job).await.map_err(|_| gone())?;
        stored.await.map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::halt("the WARC writer is gone").because("warc")
}

struct Open {
    folder: PathBuf,
    number: u32,
    run: String,
    run_no: i64,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
}

impl Open {
    /// Opens a part and, when it is new, begins it with a warcinfo record.
    async fn part(&self, end: u64, now: chrono::DateTime<chrono::Utc>) -> Result<Part> {
        let (folder, number) = (self.folder.clone(), self.number);
        let part = blocking(move || {
            let mut part = Part::open(&folder, number, end)?;
            if part.end() == 0 {
                let software = concat!("tidemill/", env!("CARGO_PKG_VERSION"));
                let fields = [("software", software), ("format", "WARC File Format 1.1")];
                let info = Record::warcinfo(&part.name(), now, &fields);
                part.append(&warc::encode(&info)?)?;
                part.sync()?;
            }
            Ok(part)
        })
        .await?;
        let (run_no, number, end) = (self.run_no, self.number, part.end());
        self.ledger.write(64, move |tx| schema::set_committed_end(tx, run_no, number, end)).await?;
        Ok(part)
    }

    /// Appends what has queued, syncs once, commits each offset in order.
    async fn work(mut self, mut part: Part, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while jobs.recv_many(&mut group, 64).await > 0 {
            let members: Vec<_> =
                group.iter_mut().map(|job| std::mem::take(&mut job.member)).collect();
            let appended = blocking(move || {
                let places = members.iter().map(|m| part.append(m)).collect::<Result<Vec<_>>>()?;
                part.sync()?;
                Ok((part, places))
            })
            .await;
            match appended {
                Ok((same, places)) => {
                    part = same;
                    for (job, place) in group.drain(..).zip(places) {
                        self.commit(job, place).await;
                    }
                }
                Err(error) => {
                    // Nothing of the group is committed; the next opening cuts it off.
                    tracing::error!(%error, "the WARC part cannot be written");
                    for job in group.drain(..) {
                        let told = Error::halt(error.message())
                            .because(error.reason())
                            .help("free space on the scratch disk, then run again");
                        let _ = job.done.send(Err(told));
                    }
                    return;
                }
            }
            if part.end() >= PART_FULL {
                self.number += 1;
                match self.part(0, self.clock.now()).await {
                    Ok(next) => part = next,
                    Err(error) => {
                        tracing::error!(%error, "no further WARC part can be begun");
                        return;
                    }
                }
            }
        }
    }

    async fn commit(&self, job: Job, (offset, len): (u64, u64)) {
        let blob = Blob {
            dataset: DATASET.into(),
            run: self.run.clone(),
            part: format!("part-{:04}.warc.gz", self.number),
            offset,
            len,
            blake3: job.body,
        };
        let (own, told, run_no, number) = (job.own, blob.clone(), self.run_no, self.number);
        let written = self
            .ledger
            .write(1024, move |tx| {
                schema::set_committed_end(tx, run_no, number, offset + len)?;
                own(tx, told)
            })
            .await;
        // The asker may have been stopped; what it asked for is stored all the same.
        let _ = job.done.send(written.map(|()| blob));
    }
}

/// Seals the parts of a run with their indexes and says which files there are. Idempotent.
pub(super) async fn seal(cx: &Context) -> Result<()> {
    let run_no = cx.run()?.no;
    let ends = cx
        .ledger()
        .read(move |read| {
            let parts = schema::parts(read, run_no)?;
            parts.into_iter().map(|n| Ok((n, schema::committed_end(read, run_no, n)?))).collect()
        })
        .await?;
    let folder = cx.folder(DATASET)?;
    let ends: Vec<(u32, u64)> = ends;
    let names = blocking(move || {
        let mut names = Vec::new();
        for (number, end) in ends {
            let mut part = Part::open(&folder, number, end)?;
            let path = readable(&folder, &part.name());
            let lines = indexed(&path, &part.name())?;
            names.push(part.seal(&lines)?);
            names.push(part.index_name());
        }
        Ok(names)
    })
    .await?;
    names.iter().try_for_each(|name| cx.artifact(DATASET, name))
}

/// The part under the name that it has now.
fn readable(folder: &Path, name: &str) -> PathBuf {
    let sealed = folder.join(name);
    if sealed.exists() { sealed } else { folder.join(format!("{name}.open")) }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(in_run(work)).await.or_halt().doing("working on the WARC file")?
}

/// One archivist per run at work, opened by the first who needs it.
#[derive(Debug, Default)]
pub(super) struct Archivists(tokio::sync::Mutex<HashMap<i64, Arc<Archivist>>>);

impl Archivists {
    pub(super) async fn of(&self, cx: &Context) -> Result<Arc<Archivist>> {
        let run_no = cx.run()?.no;
        let mut held = self.0.lock().await;
        if let Some(archivist) = held.get(&run_no).filter(|archivist| archivist.is_alive()) {
            return Ok(Arc::clone(archivist));
        }
        let archivist = Arc::new(Archivist::open(cx).await?);
        held.insert(run_no, Arc::clone(&archivist));
        Ok(archivist)
    }

    /// Lets go of the run's archivist, so that its file can be sealed.
    pub(super) async fn close(&self, cx: &Context) -> Result<()> {
        let held = self.0.lock().await.remove(&cx.run()?.no);
        // Nobody else holds it once all items are through.
        if let Some(archivist) = held.and_then(Arc::into_inner) {
            archivist.end().await;
        }
        Ok(())
    }
}
