//! A mill to run in: a source of numbered items, and a run from opening the home to closing it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::{Event, Progress, RunOptions, RunReport};
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Item, Job, Result, Sent, Source, Step, Yielded,
};
use tokio::runtime::{Builder, Runtime};

/// A source of items that are made from their number, one after the other: it holds none of them.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    /// How many.
    pub(crate) items: u64,
    /// How many are handed over at once.
    pub(crate) batch: usize,
    /// Makes the item with this number: 1, 2, ...
    pub(crate) make: fn(u64) -> Yielded<T>,
}

impl<T: Item> Step for Numbered<T> {
    fn name(&self) -> &str {
        "numbered"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl<T: Item> Source for Numbered<T> {
    type Item = T;

    async fn read(&self, out: &Emit<T>, _cx: &Context) -> Result<()> {
        let mut batch = Vec::with_capacity(self.batch);
        for n in 1..=self.items {
            batch.push((self.make)(n));
            if batch.len() < self.batch && n < self.items {
                continue;
            }
            if hand_over(out, &mut batch).await? == Sent::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// Hands over what was gathered, and leaves room for what comes next.
async fn hand_over<T: Item>(out: &Emit<T>, batch: &mut Vec<Yielded<T>>) -> Result<Sent> {
    out.send_all(std::mem::take(batch)).await
}

/// What a run took, and what it says.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Seconds from opening the home until it is closed.
    pub(crate) whole: f64,
    /// When the publish began and when it ended.
    pub(crate) publishing: (Instant, Instant),
    /// Its report.
    pub(crate) report: RunReport,
}

impl Ran {
    /// How long the whole run took and, of that, the publish: in seconds, as a child answers.
    pub(crate) fn seconds(&self) -> Vec<(&'static str, f64)> {
        let publish = self.publishing.1 - self.publishing.0;
        vec![("seconds", self.whole), ("publish", publish.as_secs_f64())]
    }
}

/// When the publish began, and when it ended.
#[derive(Debug, Default)]
struct Phases(Mutex<(Option<Instant>, Option<Instant>)>);

impl Progress for Phases {
    fn event(&self, event: &Event<'_>) {
        let Event::Phase(phase) = event else { return };
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (*phase, times.0) {
            ("publish", _) => times.0 = Some(Instant::now()),
            (_, Some(_)) => _ = times.1.get_or_insert_with(Instant::now),
            _ => {}
        }
    }
}

/// Runs a job in a home and makes sure that so many items are done.
pub(crate) fn run(home: &Path, job: impl Into<Job>, done: u64) -> Result<Ran> {
    let (job, phases) = (job.into(), Arc::new(Phases::default()));
    let options = RunOptions { progress: phases.clone(), ..RunOptions::default() };
    let begun = Instant::now();
    let report = runtime()?.block_on(async {
        let home = Arc::new(Home::open(home, HomeOptions::owner())?);
        home.run(&job, options).await
    })?;
    let whole = begun.elapsed().as_secs_f64();
    if report.items.done != done || report.items.parked + report.items.waiting > 0 {
        return Err(Error::halt(format!("of {done} items: {:?}", report.items)));
    }
    let times = *phases.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(from), Some(to)) = times else {
        return Err(Error::halt("the run did not say when it published"));
    };
    Ok(Ran { whole, publishing: (from, to), report })
}

/// The runtime of a program that says no more than `#[tokio::main]`.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}
