//! The flow of items: one task per step, bounded channels between them, results in order.

use super::live::Live;
use super::stop::Urgency;
use super::work::AbortOnDrop;
use crate::build::Knobs;
use crate::channel::{Receiver, Sender};
use crate::{Envelope, Item, Result};
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use futures_util::{Stream, StreamExt};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::Semaphore;
use tracing::Instrument;

/// The way from one step to the next.
pub(crate) type Flow<T> = Receiver<Envelope<T>>;

/// The end of that way at which items are put in.
pub(crate) type Out<T> = Sender<Envelope<T>>;

/// Puts an item on its way; false when the run stops and nobody takes it. It is not lost: what is
/// recorded comes again.
pub(crate) async fn pass<T>(out: &Out<T>, envelope: Envelope<T>) -> bool {
    let bytes = envelope.bytes;
    out.send(envelope, bytes).await.is_ok()
}

/// Runs `work` on each item, as many at once as the step's knobs say, and passes on what it yields.
pub(crate) fn each<In, Out, W, F>(
    live: &Arc<Live>,
    no: usize,
    mut input: Flow<In>,
    work: W,
) -> Flow<Out>
where
    In: Item,
    Out: Item,
    W: Fn(Envelope<In>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<Envelope<Out>>>> + Send + 'static,
{
    let (out, next) = live.lane(no);
    let shared = Arc::clone(live);
    live.spawn(async move {
        let knobs = shared.blueprint.knobs(no);
        if knobs.workers <= 1 {
            one_by_one(&shared, &mut input, &out, &work).await
        } else {
            side_by_side(&shared, &mut input, &out, &knobs, &work).await
        }
    });
    next
}

/// Items that a sink takes in one go, when there are so many.
const TOGETHER: usize = 64;

/// Runs `work` on whatever items are there, some at once, and passes on those that it gives back.
pub(crate) fn together<T, W, F>(live: &Arc<Live>, no: usize, mut input: Flow<T>, work: W) -> Flow<T>
where
    T: Item,
    W: Fn(Vec<Envelope<T>>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<Envelope<T>>>> + Send + 'static,
{
    let (out, flow) = live.lane(no);
    let shared = Arc::clone(live);
    live.spawn(async move {
        while let Some(first) = next(&shared, &mut input).await {
            let mut bytes = first.bytes;
            let mut some = vec![first];
            while some.len() < TOGETHER
                && bytes < HELD
                && let Some(next) = input.try_recv()
            {
                bytes += next.bytes;
                some.push(next);
            }
            let Some(done) = unless_aborted(&shared, work(some)).await else { return Ok(()) };
            for envelope in done? {
                if !pass(&out, envelope).await {
                    return Ok(());
                }
            }
        }
        Ok(())
    });
    flow
}

async fn one_by_one<In, T, F>(
    live: &Live,
    input: &mut Flow<In>,
    out: &Out<T>,
    work: &impl Fn(Envelope<In>) -> F,
) -> Result<()>
where
    F: Future<Output = Result<Option<Envelope<T>>>>,
{
    while let Some(envelope) = next(live, input).await {
        let Some(done) = unless_aborted(live, work(envelope)).await else { return Ok(()) };
        if let Some(done) = done?
            && !pass(out, done).await
        {
            return Ok(());
        }
    }
    Ok(())
}

/// The next item, or `None` when there is no more or the run is to stop.
pub(crate) async fn next<In>(live: &Live, input: &mut Flow<In>) -> Option<Envelope<In>> {
    if live.scene.stop.urgency() > Urgency::Go {
        return None;
    }
    // Without a look at the switch's watch, which takes a lock: most items are there already.
    if let Some(envelope) = input.try_recv() {
        return Some(envelope);
    }
    tokio::select! {
        biased;
        () = live.scene.stop.reached(Urgency::Drain) => None,
        envelope = input.recv() => envelope,
    }
}

/// The work's result, or `None` when the run is to stop at once.
async fn unless_aborted<T>(live: &Live, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return Some(done);
    }
    tokio::select! {
        biased;
        () = live.scene.stop.reached(Urgency::Abort) => None,
        done = work => Some(done),
    }
}

/// What became of an item, and how much room it took.
type Ended<T> = (usize, Result<Option<Envelope<T>>>);
type Task<T> = Pin<Box<dyn Future<Output = Ended<T>> + Send>>;

/// A step takes no more items when those that it has take this much room.
const HELD: usize = 16 << 20;

/// Items under way, finished in order or as they come.
enum Pending<T> {
    Ordered(FuturesOrdered<Task<T>>),
    Unordered(FuturesUnordered<Task<T>>),
}

impl<T> Pending<T> {
    fn new(ordered: bool) -> Self {
        if ordered {
            Pending::Ordered(FuturesOrdered::new())
        } else {
            Pending::Unordered(FuturesUnordered::new())
        }
    }

    fn push(&mut self, task: Task<T>) {
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

impl<T> Stream for Pending<T> {
    type Item = Ended<T>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        match self.get_mut() {
            Pending::Ordered(tasks) => tasks.poll_next_unpin(cx),
            Pending::Unordered(tasks) => tasks.poll_next_unpin(cx),
        }
    }
}

async fn side_by_side<In, T, F>(
    live: &Arc<Live>,
    input: &mut Flow<In>,
    out: &Out<T>,
    knobs: &Knobs,
    work: &impl Fn(Envelope<In>) -> F,
) -> Result<()>
where
    T: Item,
    F: Future<Output = Result<Option<Envelope<T>>>> + Send + 'static,
{
    // A window wider than the workers lets quick items pass a slow one without leaving the order.
    let window = knobs.workers * 4;
    let permits = Arc::new(Semaphore::new(knobs.workers));
    let mut pending = Pending::new(knobs.ordered);
    let mut aborted = pin!(live.scene.stop.reached(Urgency::Abort));
    let (mut open, mut held) = (true, 0);
    while open || pending.len() > 0 {
        tokio::select! {
            biased;
            () = &mut aborted => return Ok(()),
            Some((bytes, done)) = pending.next(), if pending.len() > 0 => {
                held -= bytes;
                if let Some(envelope) = done? && !pass(out, envelope).await {
                    open = false; // nobody listens: let those in hand finish, they are remembered
                }
            }
            envelope = next(live, input), if open && pending.len() < window && held < HELD => {
                let Some(envelope) = envelope else { open = false; continue };
                let bytes = envelope.bytes;
                held += bytes;
                let task = permitted(live, bytes, work(envelope), &permits);
                pending.push(if knobs.within.is_some() { by_itself(bytes, task) } else { task });
            }
        }
    }
    Ok(())
}

/// Work that goes on though nobody looks at it: it holds what other steps wait for, and this step
/// looks at nothing while it waits to pass an item on.
fn by_itself<T: Item>(bytes: usize, work: Task<T>) -> Task<T> {
    let task = AbortOnDrop(tokio::spawn(async move { work.await.1 }.in_current_span()));
    Box::pin(async move { (bytes, task.await) })
}

/// Work that begins when a worker is free. A run that is to stop begins nothing more.
fn permitted<T: Item>(
    live: &Arc<Live>,
    bytes: usize,
    work: impl Future<Output = Result<Option<Envelope<T>>>> + Send + 'static,
    permits: &Arc<Semaphore>,
) -> Task<T> {
    let (live, permits) = (Arc::clone(live), Arc::clone(permits));
    Box::pin(async move {
        let _permit = permits.acquire_owned().await;
        if live.scene.stop.urgency() > Urgency::Go {
            return (bytes, Ok(None));
        }
        (bytes, work.await)
    })
}
