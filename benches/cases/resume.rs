//! How long does it take until a run that was killed works again?

use super::parts::{Shout, item, key};
use crate::support::child::{Order, command, measure, measure_in};
use crate::support::figures::{Bound, Figure, Figures};
use crate::support::ground::fresh_folder;
use crate::support::mill;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tidemill_pipeline::ledger::ItemState;
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::{Event, Progress, RunOptions};
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Job, Pipeline, Result, Sent, Source, Stage, Step,
};
use tokio::sync::Semaphore;

/// Items that are done; each is a row and three answers, so this is a ledger of a million rows.
const ITEMS: u64 = 250_000;
/// Seconds until the first item reaches a stage.
const MOST: f64 = 1.0;

/// Killed in the middle of the item after `items`, and run again.
pub(crate) fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let items = items.unwrap_or(ITEMS);
    let home = fresh_folder()?;
    kill_when_ready(home.path(), items)?;
    let again = measure_in(home.path(), "resume-again", items)?;
    let fresh = measure("resume-fresh", items)?;
    let mut add = |what, value, unit, reference, bound| {
        figures.add(&Figure { what, value, unit, reference, bound });
    };
    let in_new = Some((fresh.get("first")?, "in a new home"));
    add("until the item that was in hand", again.get("first")?, "s", in_new, Bound::at_most(MOST));
    add("until an item that is new", again.get("new")?, "s", None, Bound::NONE);
    let peak = Some((fresh.get("peak")?, "in a new home"));
    add("peak memory", again.get("peak")?, "MB", peak, Bound::NONE);
    Ok(())
}

/// Runs until `items` are done and one is in hand, then kills the process (SIGKILL).
fn kill_when_ready(home: &Path, items: u64) -> Result<()> {
    let mut child = command("resume-held", items, home)?.spawn()?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    child.kill()?;
    child.wait()?;
    if line.trim() == "ready" {
        return Ok(());
    }
    Err(Error::halt("the run that was to be killed did not get that far"))
}

/// The work that is killed.
pub(crate) fn held(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let came = Arc::new(Came::default());
    let doing = Arc::clone(&came);
    let source = Interrupted { items: order.items + 1, ends: false };
    let first = First { came: doing, holds: Some(key(order.items + 1)) };
    let home = Arc::new(Home::open(&order.folder, HomeOptions::owner())?);
    let options = RunOptions { progress: came.clone(), ..RunOptions::default() };
    let job = Job::from(pipeline(source, first));
    mill::runtime()?.block_on(async {
        let run = home.run(&job, options);
        let ready = async {
            let all = u32::try_from(order.items + 1)?;
            came.ready.acquire_many(all).await?.forget();
            home.ledger().flush().await?;
            writeln!(std::io::stdout(), "ready")?;
            std::future::pending::<Result<()>>().await
        };
        tokio::try_join!(async { run.await.map(|_| ()) }, ready).map(|_| Vec::new())
    })
}

/// The run that goes on: in hand is one item, and the source has one more when it has started over.
pub(crate) fn again(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let (times, report) = timed(&order.folder, order.items + 2)?;
    let [first, new] = times[..] else {
        return Err(Error::halt(format!("{} items were worked on again, not 2", times.len())));
    };
    if !report.resumed || report.items.done != order.items + 2 {
        return Err(Error::halt(format!("resumed {}: {:?}", report.resumed, report.items)));
    }
    Ok(vec![("first", first), ("new", new)])
}

/// The first item of a run that has nothing behind it.
pub(crate) fn fresh(order: &Order) -> Result<Vec<(&'static str, f64)>> {
    let (times, _) = timed(&order.folder, 1)?;
    times.first().map(|first| vec![("first", *first)]).ok_or_else(|| Error::halt("no item came"))
}

/// When items reached the first stage, in seconds since before the home was opened.
fn timed(folder: &Path, items: u64) -> Result<(Vec<f64>, tidemill_pipeline::run::RunReport)> {
    let came = Arc::new(Came::default());
    let source = Interrupted { items, ends: true };
    let job = Job::from(pipeline(source, First { came: Arc::clone(&came), holds: None }));
    let runtime = mill::runtime()?;
    let begun = Instant::now();
    let report = runtime.block_on(async {
        let home = Arc::new(Home::open(folder, HomeOptions::owner())?);
        home.run(&job, RunOptions::default()).await
    })?;
    let at = came.at.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((at.iter().map(|at| (*at - begun).as_secs_f64()).collect(), report))
}

fn pipeline(source: Interrupted, first: First) -> Pipeline<String> {
    Pipeline::named("resume").read(source).then(first).then(Shout("two")).then(Shout("three"))
}

/// What came how far.
#[derive(Debug)]
struct Came {
    /// When items reached the first stage.
    at: Mutex<Vec<Instant>>,
    /// A permit for each item that is done, and for the one that is held.
    ready: Semaphore,
}

impl Default for Came {
    fn default() -> Self {
        Self { at: Mutex::default(), ready: Semaphore::new(0) }
    }
}

impl Progress for Came {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Settled { state: ItemState::Done, .. }) {
            self.ready.add_permits(1);
        }
    }
}

/// A source without a cursor: it always starts over.
struct Interrupted {
    items: u64,
    ends: bool,
}

impl Step for Interrupted {
    fn name(&self) -> &str {
        "interrupted"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for Interrupted {
    type Item = String;

    async fn read(&self, out: &Emit<String>, _cx: &Context) -> Result<()> {
        for n in 1..=self.items {
            if out.send(item(n)).await? == Sent::Stop {
                return Ok(());
            }
        }
        if !self.ends {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// The first stage: notes when items come, and keeps one of them for ever.
struct First {
    came: Arc<Came>,
    holds: Option<String>,
}

impl Step for First {
    fn name(&self) -> &str {
        "one"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<String> for First {
    type Out = String;

    async fn run(&self, text: String, cx: &Context) -> Result<String> {
        if self.holds.as_deref() == Some(cx.key()) {
            self.came.ready.add_permits(1);
            std::future::pending::<()>().await;
        }
        self.came.at.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        Ok(text.to_uppercase())
    }
}
