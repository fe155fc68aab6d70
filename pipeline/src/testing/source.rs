//! The suite for sources.

use super::breach::{breach, lost_in_json, some_of};
use super::cut::Cut;
use super::given::{AtRecord, Catch, too_few, was_cut};
use super::rig::Rig;
use super::step;
use crate::run::{RunOptions, RunReport, Stop};
use crate::{Error, Item, Job, Pipeline, Result, Source};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::sync::Notify;

/// With fewer items a source is through before it can be killed in the middle.
const LEAST: usize = 4;

/// Checks that a source keeps what the engine relies on.
///
/// | rule | what is wrong when it is the reason |
/// |---|---|
/// | `name_unusable` | the name is no 1 to 64 letters, digits, `-` or `_` |
/// | `name_changes`, `version_changes`, `fingerprint_changes` | asked twice, or of two instances made alike, it says two things |
/// | `key_empty` | an item has no key |
/// | `keys_change` | read once more from the beginning, it yields other keys |
/// | `item_changes_in_json` | an item is another one when it comes back from the ledger |
/// | `content_changes` | an item that is as it was has another content hash: it is never unchanged |
/// | `worn_out` | read again, the same value yields other things than a new one: it keeps its place in memory, where a program that is started again has nothing |
/// | `goes_on_after_stop` | told [`Sent::Stop`](crate::Sent::Stop), it sends more items (see [`in_hand`](SourceSuite::in_hand)) |
/// | `fails_when_stopped` | told to stop, it returns an error |
/// | `not_resumed` | after a stop or a kill its fingerprint is another: the run is given up and begins anew |
/// | `lost_after_stop`, `twice_after_stop` | stopped in the middle and run again, it does not yield the rest, or more than that |
/// | `lost_after_kill`, `twice_after_kill` | the same, when it is dropped where it stands |
/// | `too_few` | it yields fewer than four items, and the suite cannot fail |
#[derive(Debug)]
pub struct SourceSuite<F> {
    make: F,
    in_hand: usize,
}

impl<S: Source, F: Fn() -> S> SourceSuite<F> {
    /// For the source that `make` makes, which yields at least four items, and the same ones each
    /// time that nothing is known of it yet.
    pub fn of(make: F) -> Self {
        Self { make, in_hand: 0 }
    }

    /// Says that the source works on this many items at once: so many may still come after
    /// [`Sent::Stop`](crate::Sent::Stop).
    #[must_use]
    pub fn in_hand(mut self, items: usize) -> Self {
        self.in_hand = items;
        self
    }

    /// Goes through all rules.
    ///
    /// # Errors
    /// With the rule's name as reason when one is broken; with the source's own error when it
    /// cannot be read.
    pub async fn check(&self, rig: &Rig) -> Result<()> {
        step::same_each_time(&self.make)?;
        let expected = self.reads_again(rig).await?;
        // First of all that it can be stopped: the next rules rely on that.
        self.ends_when_stopped(rig).await?;
        self.goes_on_after_a_stop(rig, &expected).await?;
        self.goes_on_after_a_kill(rig, &expected).await
    }

    fn reading(&self, pipeline: &str) -> Reading<S::Item> {
        Reading::of(pipeline, (self.make)())
    }

    /// Reads two pipelines twice; returns the keys that a first reading yields.
    async fn reads_again(&self, rig: &Rig) -> Result<Keys> {
        let (name, other) = (rig.fresh(), rig.fresh());
        let kept = self.reading(&name);
        let first = kept.run(rig).await?;
        if first.keys.contains_key("") {
            let cure = "give each item a key of its own: an address, a guid, a line";
            return Err(breach("key_empty", "an item has an empty key", cure));
        }
        let found = first.keys.values().sum();
        if found < LEAST {
            let error = too_few("items", LEAST, found);
            let reasons = &first.report.reasons;
            return Err(error.context(format!("of {} in all, {reasons:?}", first.ends())));
        }
        let second = self.reading(&other).run(rig).await?;
        if second.keys != first.keys {
            let cure = "make the key of what the item is, not of when or where it was read";
            return Err(differs("keys_change", "read anew", &first.keys, &second.keys, cure));
        }
        let third = self.reading(&other).run(rig).await?;
        let changed = first.content.iter().find(|key| third.keys.contains_key(*key));
        if let Some(key) = changed {
            let seen = format!("`{key}` has another content hash each time it is read");
            let cure = "make it of what the item says, not of when it was read";
            return Err(breach("content_changes", seen, cure));
        }
        let again = kept.run(rig).await?;
        if (&again.keys, again.ends()) != (&third.keys, third.ends()) {
            let cure = "keep the place in the cursor: `Emit::cursor` and `Emit::save_cursor`";
            let what = "read a second time by the same value";
            return Err(differs("worn_out", what, &third.keys, &again.keys, cure));
        }
        Ok(first.keys)
    }

    /// Answers the first item with *stop* and counts what still comes.
    async fn ends_when_stopped(&self, rig: &Rig) -> Result<()> {
        let too_many = Arc::new(Notify::new());
        let tell = Arc::clone(&too_many);
        let counted = Arc::new(AtRecord::new(self.in_hand + 2, move || tell.notify_one()));
        let options = RunOptions { progress: counted.clone(), ..RunOptions::default() };
        let source = Cut::at_once((self.make)(), too_many);
        let run = rig.run_with(Reading::of(&rig.fresh(), source).job, options).await;
        let more = counted.seen.load(SeqCst).saturating_sub(1);
        if more > self.in_hand {
            let seen = format!("told to stop at its first item, it sent {more} more");
            let cure = "return from `read` when `send` answers `Sent::Stop`";
            return Err(breach("goes_on_after_stop", seen, cure));
        }
        match run {
            // Nobody took what was recorded, so the run is not published: that is no fault of it.
            Err(error) if error.reason() != "open_items" => Err(fails_when_stopped(&error)),
            _ => Ok(()),
        }
    }

    /// Lets the run drain when half of the items are recorded, and goes on with it.
    async fn goes_on_after_a_stop(&self, rig: &Rig, expected: &Keys) -> Result<()> {
        let (name, stop) = (rig.fresh(), Stop::default());
        let half = expected.values().sum::<usize>() / 2;
        let own = stop.clone();
        let progress = Arc::new(AtRecord::new(half, move || own.drain()));
        let options = RunOptions { stop, progress, ..RunOptions::default() };
        match rig.run_with(self.reading(&name).job, options).await {
            Err(error) if error.reason() == "interrupted" => {}
            Err(error) => return Err(fails_when_stopped(&error)),
            Ok(_) => {
                let seen = format!("of a new reading fewer than {half} items were recorded");
                return Err(breach("keys_change", seen, "let a new reading yield the same"));
            }
        }
        self.resumes(rig, &name, "stop", expected).await
    }

    /// Drops the source where it stands when half of the items are through, and goes on.
    async fn goes_on_after_a_kill(&self, rig: &Rig, expected: &Keys) -> Result<()> {
        let (name, half) = (rig.fresh(), expected.values().sum::<usize>() / 2);
        // Two more items lie on the way when it is dropped.
        let killed = rig.run(Reading::of(&name, Cut::after((self.make)(), half - 1)).job).await;
        if !was_cut(&killed) {
            killed?;
        }
        self.resumes(rig, &name, "kill", expected).await
    }

    async fn resumes(&self, rig: &Rig, name: &str, after: &str, expected: &Keys) -> Result<()> {
        let read = self.reading(name).run(rig).await?;
        if !read.report.resumed {
            let seen =
                format!("after a {after} the run is not resumed, but given up for a new one");
            let cure = "let `prepare` answer the same as long as the arguments are the same";
            return Err(breach("not_resumed", seen, cure));
        }
        if read.keys == *expected {
            return Ok(());
        }
        let lost = expected.keys().any(|key| !read.keys.contains_key(key));
        let rule = if lost { "lost" } else { "twice" };
        let cure = "save the cursor behind each item that was sent, never before; leave keys and content alone";
        let what = format!("resumed after a {after}");
        Err(differs(&format!("{rule}_after_{after}"), &what, expected, &read.keys, cure))
    }
}

/// How often each key came.
type Keys = BTreeMap<String, usize>;

/// A pipeline that reads a source and keeps what comes through.
struct Reading<T> {
    job: Job,
    caught: Catch<T>,
}

/// What a reading came to.
struct Read {
    report: RunReport,
    /// The items that got through.
    keys: Keys,
    /// The keys whose content the source said.
    content: Vec<String>,
}

impl<T: Item> Reading<T> {
    fn of(pipeline: &str, source: impl Source<Item = T>) -> Self {
        let caught = Catch::new();
        let read = Pipeline::named(pipeline).read(source).map(as_recorded);
        Self { job: read.save(caught.clone()).into(), caught }
    }

    async fn run(&self, rig: &Rig) -> Result<Read> {
        let report = rig.run(self.job.clone()).await?;
        let (mut keys, mut content) = (Keys::new(), Vec::new());
        for saved in self.caught.last() {
            if saved.content.is_some() {
                content.push(saved.key.clone());
            }
            *keys.entry(saved.key).or_default() += 1;
        }
        Ok(Read { report, keys, content })
    }
}

impl Read {
    fn ends(&self) -> String {
        let ends = self.report.items;
        let (done, unchanged, waiting) = (ends.done, ends.unchanged, ends.waiting);
        format!("{done} done, {unchanged} unchanged, {waiting} waiting, {} parked", ends.parked)
    }
}

/// Passes an item on that is the same when it comes back from the ledger.
async fn as_recorded<T: Item>(item: T) -> Result<T> {
    let Some(how) = lost_in_json(&item) else { return Ok(item) };
    let cure = "let its JSON text hold all of it: a resumed run goes on with that";
    Err(breach("item_changes_in_json", format!("an item {how}"), cure))
}

fn fails_when_stopped(error: &Error) -> Error {
    let seen = format!("told to stop, it fails: [{}] {}", error.reason(), error.message());
    breach("fails_when_stopped", seen, "return `Ok(())`: the next run goes on from the cursor")
}

fn differs(rule: &str, what: &str, expected: &Keys, found: &Keys, cure: &str) -> Error {
    let missing = |from: &Keys, of: &Keys| {
        let less = of.iter().filter(|(key, count)| from.get(*key).unwrap_or(&0) < count);
        less.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    let mut seen = format!("{what}, it does not yield the same");
    let (lost, more) = (missing(found, expected), missing(expected, found));
    if !lost.is_empty() {
        seen.push_str(&format!("; lost: {}", some_of(&lost)));
    }
    if !more.is_empty() {
        seen.push_str(&format!("; too much: {}", some_of(&more)));
    }
    breach(rule, seen, cure)
}
