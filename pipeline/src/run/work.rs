//! One item through one step: recalled or worked on, with retries, limits and patience.

use super::live::Live;
use super::retry;
use crate::build::Knobs;
use crate::context::Signs;
use crate::item::{MAX_BYTES, too_large};
use crate::ledger::Tx;
use crate::ledger::costs::{self, CostKey};
use crate::ledger::steps::{self, StepKey};
use crate::replay::Cost;
use crate::{
    Context, Envelope, Error, Fingerprint, Item, Result, ResultExt, Stage, Verdict, crash,
};
use futures_util::FutureExt;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

/// The longest that a step is left alone before it is looked at again.
const LOOK: Duration = Duration::from_secs(15);

/// A stage's answer for one item.
struct Worked<T> {
    item: T,
    output: Vec<u8>,
    input: Fingerprint,
    cost: Cost,
}

/// One item through a remembered step: recalled, or worked on and then remembered.
pub(crate) async fn remembered<In: Item, S: Stage<In>>(
    live: Arc<Live>,
    stage: Arc<S>,
    no: usize,
    envelope: Envelope<In>,
) -> Result<Option<Envelope<S::Out>>> {
    let (run_no, seq) = (live.run.no, envelope.seq);
    let fingerprint = live.fingerprints.get(no).copied().unwrap_or_else(|| stage.fingerprint());
    let key = |input| StepKey { run_no, seq, stage_no: no, fingerprint, input };
    if seq <= live.resumed_to {
        let key = key(stage.input(&envelope.item));
        if let Some(output) = live.ledger().read(move |read| steps::recall(read, &key)).await?
            && let Ok(item) = serde_json::from_slice(&output)
        {
            return Ok(Some(envelope.with_bytes(item, output.len())));
        }
    }
    if live.scene.is_over() {
        live.setback(seq, &envelope.key, stage.name(), time_is_up()).await?;
        return Ok(None);
    }
    match with_retries(&live, &stage, no, &envelope).await {
        Ok(Worked { item, output, input, cost }) => {
            crash::point("step.done");
            let (bytes, key) = (output.len(), key(input));
            let cost = (!cost.is_nothing()).then(|| (cost_key(&live, no, &envelope.key), cost));
            let keep = move |tx: &Tx<'_>| {
                steps::keep(tx, &key, &output)?;
                cost.map_or(Ok(()), |(of, cost)| costs::keep(tx, &of, run_no, &cost))
            };
            live.ledger().write(bytes + 128, keep).await?;
            live.look(no, &item)?;
            Ok(Some(envelope.with_bytes(item, bytes)))
        }
        Err(error) => {
            live.setback(seq, &envelope.key, stage.name(), error).await?;
            Ok(None)
        }
    }
}

/// Under what the cost of an answer is remembered.
fn cost_key(live: &Live, no: usize, key: &str) -> CostKey {
    CostKey {
        pipeline_no: live.scene.pipeline_no,
        key: key.to_string(),
        step: live.blueprint.label(no),
        fingerprint: live.fingerprints.get(no).copied().unwrap_or_else(Fingerprint::nothing),
    }
}

fn time_is_up() -> Error {
    Error::wait("the run's time was up").because("until").help("the next run takes it first")
}

async fn with_retries<In: Item, S: Stage<In>>(
    live: &Arc<Live>,
    stage: &Arc<S>,
    no: usize,
    envelope: &Envelope<In>,
) -> Result<Worked<S::Out>> {
    let knobs = live.blueprint.knobs(no);
    let _turn = turn(live, &knobs).await?;
    let mut attempt = 1;
    loop {
        let begun = Instant::now();
        let result = attempt_once(live, stage, &knobs, no, envelope, attempt).await;
        live.timed(no, begun.elapsed());
        let error = match result {
            Ok(worked) => return Ok(worked),
            Err(error) => error,
        };
        if !another(live, &knobs, no, &envelope.key, attempt, &error).await {
            return Err(given_up(live, attempt, error));
        }
        attempt += 1;
    }
}

/// Waits for a turn at the thing that the step shares with others, if it shares one.
async fn turn(live: &Live, knobs: &Knobs) -> Result<Option<OwnedSemaphorePermit>> {
    let Some((name, most)) = &knobs.within else { return Ok(None) };
    live.scene.home.resources().turn(name, *most).await.map(Some)
}

/// Whether there is another try; the pause before it is over when this returns.
async fn another(
    live: &Arc<Live>,
    knobs: &Knobs,
    no: usize,
    key: &str,
    attempt: u32,
    error: &Error,
) -> bool {
    let Verdict::Retry { after } = error.verdict() else { return false };
    let cx = Context::of_run(live);
    if attempt >= knobs.tries || cx.stopping() {
        return false;
    }
    tracing::debug!(step = no, key, attempt, %error, "will be tried again");
    cx.sleep(retry::pause(attempt, after, key)).await;
    !cx.stopping() // a pause that was cut short: the resumed run tries again
}

fn given_up(live: &Live, attempt: u32, error: Error) -> Error {
    if !matches!(error.verdict(), Verdict::Retry { .. }) {
        return error;
    }
    if live.scene.is_over() {
        return error.with_verdict(Verdict::Wait); // it had no fair chance
    }
    if attempt == 1 {
        return error;
    }
    error.context(format!("after {attempt} tries"))
}

/// One try, on a task of its own: a step that never gives the thread back harms only itself.
async fn attempt_once<In: Item, S: Stage<In>>(
    live: &Arc<Live>,
    stage: &Arc<S>,
    knobs: &Knobs,
    no: usize,
    envelope: &Envelope<In>,
    attempt: u32,
) -> Result<Worked<S::Out>> {
    let cx = Context::of_item(live, envelope.seq, &envelope.key, attempt);
    let signs = cx.signs();
    let (stage, input) = (Arc::clone(stage), envelope.item.clone());
    let work = async move {
        let hash = stage.input(&input);
        let item = stage.run(input, &cx).await?;
        let output = serde_json::to_vec(&item)
            .or_park()
            .doing("its answer has no JSON form")
            .map_err(|e| {
                e.because("no_json")
                    .help("items are serde values: maps with text keys, no NaN where JSON has none")
            })?;
        if output.len() > MAX_BYTES {
            return Err(too_large(output.len()));
        }
        Ok(Worked { item, output, input: hash, cost: cx.cost() })
    };
    let task = AbortOnDrop(tokio::spawn(guarded(work).in_current_span()));
    let patience =
        Patience { live, no, key: &envelope.key, limit: knobs.timeout, signs: Some(signs) };
    patience.wait(task).await
}

/// How long a step may take for one item.
pub(crate) struct Patience<'a> {
    pub(crate) live: &'a Arc<Live>,
    pub(crate) no: usize,
    pub(crate) key: &'a str,
    /// The time limit of one try.
    pub(crate) limit: Option<Duration>,
    /// Signs of life, where the step can give them.
    pub(crate) signs: Option<Signs>,
}

impl Patience<'_> {
    /// Waits for the work within its limit, and no longer than it shows signs of life.
    pub(crate) async fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        // Most work is done at once, and needs no clock.
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return done;
        }
        let begun = self.live.age();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(self.pause(begun)) => self.check(begun)?,
            }
        }
    }

    /// Until the limit, or until it is time for another look.
    fn pause(&self, begun: Duration) -> Duration {
        let look = LOOK.min(self.live.patience / 4);
        let left = self.limit.map(|limit| (begun + limit).saturating_sub(self.live.age()));
        left.map_or(look, |left| left.min(look)).max(Duration::from_millis(1))
    }

    fn check(&self, begun: Duration) -> Result<()> {
        let now = self.live.age();
        if let Some(limit) = self.limit.filter(|limit| now.saturating_sub(begun) >= *limit) {
            return Err(Error::retry(format!("not done within {limit:?}"))
                .because("timeout")
                .help("give the step a longer `.timeout(..)` if it may need it"));
        }
        let last = self.signs.as_ref().map_or(begun, Signs::last).max(begun);
        let silent = now.saturating_sub(last);
        let patience = self.live.patience;
        let step = self.live.blueprint.name_of(self.no);
        if silent >= patience {
            return Err(Error::park(format!("it gave no sign of life for {patience:?}"))
                .because("stuck")
                .help(format!(
                    "see what `{step}` waits for, give it a `.timeout(..)`, then `parked retry`"
                )));
        }
        if silent >= patience / 4 {
            let minutes = (patience / 4).as_secs() / 60;
            self.live.scene.say(format!(
                "{step} has been at {} for {minutes} minutes and gives no sign of life",
                self.key
            ));
        }
        Ok(())
    }
}

/// A spawned task that ends when nobody waits for it any more.
pub(super) struct AbortOnDrop<T>(pub(super) tokio::task::JoinHandle<Result<T>>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.0.poll_unpin(cx).map(|joined| {
            joined
                .unwrap_or_else(|e| Err(Error::halt("a worker of the engine failed").caused_by(e)))
        })
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One item through a closure, which is computed again when a run is resumed; `tries` is 1 unless
/// the code asks for more.
pub(crate) async fn computed<In: Item, T: Item, Fut: Future<Output = Result<Option<T>>>>(
    live: Arc<Live>,
    no: usize,
    f: Arc<impl Fn(In) -> Fut>,
    envelope: Envelope<In>,
) -> Result<Option<Envelope<T>>> {
    let knobs = live.blueprint.knobs(no);
    let _turn = turn(&live, &knobs).await?;
    let Envelope { seq, key, item, bytes } = envelope;
    let patience = Patience { live: &live, no, key: &key, limit: knobs.timeout, signs: None };
    let mut attempt = 1;
    let mut item = Some(item);
    let error = loop {
        // The last try takes the item itself: nothing is cloned where there is one try only.
        let last = attempt >= knobs.tries;
        let Some(input) = (if last { item.take() } else { item.clone() }) else { return Ok(None) };
        let begun = Instant::now();
        let result = patience.wait(guarded(async { f(input).await })).await;
        live.timed(no, begun.elapsed());
        match result {
            Ok(Some(item)) => {
                live.look(no, &item)?;
                return Ok(Some(Envelope { seq, key, item, bytes }));
            }
            Ok(None) => {
                live.done(&[(seq, key)]).await?;
                return Ok(None);
            }
            Err(error) if another(&live, &knobs, no, &key, attempt, &error).await => attempt += 1,
            Err(error) => break given_up(&live, attempt, error),
        }
    };
    live.setback(seq, &key, live.blueprint.name_of(no), error).await?;
    Ok(None)
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
