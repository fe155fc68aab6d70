//! The flow of items: one task per step, bounded channels between them, results in order.

use super::live::Live;
use super::progress::Event;
use super::retry;
use super::stop::Urgency;
use crate::build::Knobs;
use crate::ledger::steps::{self, StepKey};
use crate::{Context, Envelope, Error, Item, Result, ResultExt, Stage, Verdict, crash};
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use futures_util::{FutureExt, Stream, StreamExt};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Items that may lie between two steps.
pub(crate) const BUFFER: usize = 64;

/// The way from one step to the next.
pub(crate) type Flow<T> = mpsc::Receiver<Envelope<T>>;

/// Runs `work` on each item, `knobs.workers` at once, and passes on what it yields.
pub(crate) fn each<In, Out, W, F>(
    live: &Arc<Live>,
    mut input: Flow<In>,
    knobs: Knobs,
    work: W,
) -> Flow<Out>
where
    In: Item,
    Out: Item,
    W: Fn(Envelope<In>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<Envelope<Out>>>> + Send + 'static,
{
    let (out, next) = mpsc::channel(BUFFER);
    let shared = Arc::clone(live);
    live.spawn(async move {
        if knobs.workers <= 1 {
            one_by_one(&shared, &mut input, &out, &work).await
        } else {
            side_by_side(&shared, &mut input, &out, knobs, &work).await
        }
    });
    next
}

async fn one_by_one<In, Out, F>(
    live: &Live,
    input: &mut Flow<In>,
    out: &mpsc::Sender<Envelope<Out>>,
    work: &impl Fn(Envelope<In>) -> F,
) -> Result<()>
where
    F: Future<Output = Result<Option<Envelope<Out>>>>,
{
    while let Some(envelope) = next(live, input).await {
        let done = tokio::select! {
            biased;
            () = live.scene.stop.reached(Urgency::Abort) => return Ok(()),
            done = work(envelope) => done?,
        };
        if let Some(done) = done
            && out.send(done).await.is_err()
        {
            return Ok(()); // the run stops; what is remembered is not lost
        }
    }
    Ok(())
}

/// The next item, or `None` when there is no more or the run is to stop.
async fn next<In>(live: &Live, input: &mut Flow<In>) -> Option<Envelope<In>> {
    tokio::select! {
        biased;
        () = live.scene.stop.reached(Urgency::Drain) => None,
        envelope = input.recv() => envelope,
    }
}

type Task<Out> = Pin<Box<dyn Future<Output = Result<Option<Envelope<Out>>>> + Send>>;

/// Tasks under way, finished in order or as they come.
enum Pending<Out> {
    Ordered(FuturesOrdered<Task<Out>>),
    Unordered(FuturesUnordered<Task<Out>>),
}

impl<Out> Pending<Out> {
    fn new(ordered: bool) -> Self {
        if ordered {
            Pending::Ordered(FuturesOrdered::new())
        } else {
            Pending::Unordered(FuturesUnordered::new())
        }
    }

    fn push(&mut self, task: Task<Out>) {
        match self {
            Pending::Ordered(tasks) => tasks.push_back(task),
            Pending::Unordered(tasks) => tasks.push(task),
        }
    }

    fn len(&self) -> usize {
        match self {
            Pending::Ordered(tasks) => tasks.len(),
            Pending::Unordered(tasks) => tasks.len(),
        }
    }
}

impl<Out> Stream for Pending<Out> {
    type Item = Result<Option<Envelope<Out>>>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        match self.get_mut() {
            Pending::Ordered(tasks) => tasks.poll_next_unpin(cx),
            Pending::Unordered(tasks) => tasks.poll_next_unpin(cx),
        }
    }
}

async fn side_by_side<In, Out, F>(
    live: &Live,
    input: &mut Flow<In>,
    out: &mpsc::Sender<Envelope<Out>>,
    knobs: Knobs,
    work: &impl Fn(Envelope<In>) -> F,
) -> Result<()>
where
    Out: Item,
    F: Future<Output = Result<Option<Envelope<Out>>>> + Send + 'static,
{
    // A window wider than the workers lets quick items pass a slow one without leaving the order.
    let window = knobs.workers * 4;
    let permits = Arc::new(Semaphore::new(knobs.workers));
    let mut pending = Pending::new(knobs.ordered);
    let mut open = true;
    while open || pending.len() > 0 {
        tokio::select! {
            biased;
            () = live.scene.stop.reached(Urgency::Abort) => return Ok(()),
            Some(done) = pending.next(), if pending.len() > 0 => {
                if let Some(envelope) = done? && out.send(envelope).await.is_err() {
                    open = false; // nobody listens: let those in hand finish, they are remembered
                }
            }
            envelope = next(live, input), if open && pending.len() < window => {
                let Some(envelope) = envelope else { open = false; continue };
                pending.push(task(work(envelope), Arc::clone(&permits)));
            }
        }
    }
    Ok(())
}

/// A task that holds a worker's permit while it works.
fn task<Out: Item>(
    work: impl Future<Output = Result<Option<Envelope<Out>>>> + Send + 'static,
    permits: Arc<Semaphore>,
) -> Task<Out> {
    let handle = tokio::spawn(async move {
        let _permit = permits.acquire_owned().await;
        work.await
    });
    Box::pin(AbortOnDrop(handle).map(|joined| {
        joined.unwrap_or_else(|e| Err(Error::halt("a worker of the engine failed").caused_by(e)))
    }))
}

/// A spawned task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = std::result::Result<T, tokio::task::JoinError>;

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        self.0.poll_unpin(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One item through a remembered step: recalled, or worked on with retries and then remembered.
pub(crate) async fn remembered<In: Item, S: Stage<In>>(
    live: Arc<Live>,
    stage: Arc<S>,
    no: usize,
    envelope: Envelope<In>,
) -> Result<Option<Envelope<S::Out>>> {
    let key = StepKey {
        run_no: live.run.no,
        seq: envelope.seq,
        stage_no: no,
        fingerprint: live.fingerprints.get(no).copied().unwrap_or_else(|| stage.fingerprint()),
        input: stage.input(&envelope.item),
    };
    if envelope.seq <= live.resumed_to
        && let Some(output) = live.ledger().read(move |read| steps::recall(read, &key)).await?
        && let Ok(item) = serde_json::from_slice(&output)
    {
        return Ok(Some(envelope.with(item)));
    }
    let worked = with_retries(&live, stage.as_ref(), no, &envelope).await;
    let worked = worked.and_then(|item| {
        let output = serde_json::to_vec(&item).or_park().doing("its answer has no JSON form")?;
        Ok((item, output))
    });
    match worked {
        Ok((item, output)) => {
            crash::point("step.done");
            let bytes = output.len() + 128;
            live.ledger().write(bytes, move |tx| steps::keep(tx, &key, &output)).await?;
            live.scene.progress.event(&Event::Stepped { step: no });
            Ok(Some(envelope.with(item)))
        }
        Err(error) => {
            live.setback(envelope.seq, &envelope.key, stage.name(), error).await?;
            Ok(None)
        }
    }
}

async fn with_retries<In: Item, S: Stage<In>>(
    live: &Arc<Live>,
    stage: &S,
    no: usize,
    envelope: &Envelope<In>,
) -> Result<S::Out> {
    let timeout = live.blueprint.knobs(no).timeout;
    let mut attempt = 1;
    loop {
        let cx = Context::of_item(live, envelope.seq, &envelope.key, attempt);
        let work = guarded(stage.run(envelope.item.clone(), &cx));
        let result = match timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                Err(Error::retry(format!("not done within {limit:?}")).because("timeout"))
            }),
        };
        let error = match result {
            Ok(item) => return Ok(item),
            Err(error) => error,
        };
        let Verdict::Retry { after } = error.verdict() else { return Err(error) };
        if attempt >= retry::TRIES || cx.stopping() {
            return Err(error.context(format!("after {attempt} tries")));
        }
        tracing::debug!(step = no, key = %envelope.key, attempt, %error, "will be tried again");
        cx.sleep(retry::pause(attempt, after, &envelope.key)).await;
        if cx.stopping() {
            return Err(error); // the pause was cut short: the resumed run tries again
        }
        attempt += 1;
    }
}

/// A step's future, with a panic turned into an error that parks the item.
pub(crate) async fn guarded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".into());
            Err(Error::park(format!("the step panicked: {text}"))
                .because("panicked")
                .help("this is a defect in the step; the item is kept aside until it is mended"))
        }
    }
}
