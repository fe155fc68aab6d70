//! A brook that yields its drops well, or breaks one rule of sources.

use super::{all_are_broken, names};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use tidemill_pipeline::testing::{Rig, SourceSuite};
use tidemill_pipeline::{Context, Emit, Error, Fingerprint, Result, Sent, Source, Step, Yielded};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// No fault: it goes on from its cursor, which follows each drop.
    Follows,
    /// No fault: it sends by the handful.
    Pours,
    OddName,
    OtherName,
    OtherVersion,
    OtherFingerprint,
    EmptyKey,
    KeyOfTheTime,
    LosesInJson,
    ContentOfTheTime,
    FlowsOnce,
    HearsNoStop,
    FailsAtStop,
    OtherArguments,
    CursorBefore,
    AgainAfterStop,
    CursorOfTheBatch,
    AgainAfterKill,
    TooShort,
}

const BROKEN: [(Fault, &str); 17] = [
    (Fault::OddName, "name_unusable"),
    (Fault::OtherName, "name_changes"),
    (Fault::OtherVersion, "version_changes"),
    (Fault::OtherFingerprint, "fingerprint_changes"),
    (Fault::EmptyKey, "key_empty"),
    (Fault::KeyOfTheTime, "keys_change"),
    (Fault::LosesInJson, "item_changes_in_json"),
    (Fault::ContentOfTheTime, "content_changes"),
    (Fault::FlowsOnce, "worn_out"),
    (Fault::HearsNoStop, "goes_on_after_stop"),
    (Fault::FailsAtStop, "fails_when_stopped"),
    (Fault::OtherArguments, "not_resumed"),
    (Fault::CursorBefore, "lost_after_stop"),
    (Fault::AgainAfterStop, "twice_after_stop"),
    (Fault::CursorOfTheBatch, "lost_after_kill"),
    (Fault::AgainAfterKill, "twice_after_kill"),
    (Fault::TooShort, "too_few"),
];

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Drop {
    number: u32,
    #[serde(skip_deserializing)]
    wet: bool,
}

struct Brook {
    fault: Fault,
    /// Which instance this is: what a faulty one takes for its time.
    made: u32,
    dry: AtomicBool,
}

impl Brook {
    fn with(fault: Fault) -> impl Fn() -> Self {
        let made = AtomicU32::new(0);
        move || Self { fault, made: made.fetch_add(1, SeqCst), dry: AtomicBool::new(false) }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn drop(&self, number: u32) -> Yielded<Drop> {
        let key = match number {
            1 if self.is(Fault::EmptyKey) => String::new(),
            _ if self.is(Fault::KeyOfTheTime) => format!("{number} of {}", self.made),
            _ => number.to_string(),
        };
        let drop = Drop { number, wet: self.is(Fault::LosesInJson) };
        let time = if self.is(Fault::ContentOfTheTime) { self.made } else { 0 };
        Yielded::new(key, drop).content(Fingerprint::of(&(number, time)))
    }
}

impl Step for Brook {
    fn name(&self) -> &str {
        match self.fault {
            Fault::OddName => "a brook: babbling",
            Fault::OtherName if self.made > 0 => "stream",
            _ => "brook",
        }
    }

    fn version(&self) -> u32 {
        if self.is(Fault::OtherVersion) { self.made } else { 1 }
    }

    fn fingerprint(&self) -> Fingerprint {
        let time = if self.is(Fault::OtherFingerprint) { self.made } else { 0 };
        Fingerprint::of(&time)
    }

    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        let time = if self.is(Fault::OtherArguments) { self.made } else { 0 };
        Ok(Fingerprint::of(&time))
    }
}

impl Source for Brook {
    type Item = Drop;

    async fn read(&self, out: &Emit<Drop>, _cx: &Context) -> Result<()> {
        if self.is(Fault::FlowsOnce) && self.dry.swap(true, SeqCst) {
            return Ok(());
        }
        let end = if self.is(Fault::TooShort) { 3 } else { 8 };
        let cursor = out.cursor::<u32>().await?;
        let recovers = cursor.is_none() && out.taken::<()>("0").await?.is_some();
        if self.is(Fault::CursorOfTheBatch) {
            out.save_cursor(&end).await?;
        }
        if self.is(Fault::Pours) {
            return self.pour(cursor.unwrap_or(0), end, out).await;
        }
        for number in cursor.unwrap_or(0)..end {
            if self.is(Fault::CursorBefore) {
                out.save_cursor(&(number + 1)).await?;
            }
            if recovers && [Fault::AgainAfterStop, Fault::AgainAfterKill].contains(&self.fault) {
                let again = self.drop(number);
                out.send(Yielded { key: format!("{} again", again.key), ..again }).await?;
            }
            if out.send(self.drop(number)).await? == Sent::Stop {
                return self.stop(number, out).await;
            }
            if self.is(Fault::Follows) {
                out.save_cursor(&(number + 1)).await?;
            }
        }
        Ok(())
    }
}

impl Brook {
    async fn pour(&self, begin: u32, end: u32, out: &Emit<Drop>) -> Result<()> {
        for first in (begin..end).step_by(3) {
            let next = end.min(first + 3);
            let drops = (first..next).map(|number| self.drop(number)).collect();
            if out.send_all(drops).await? == Sent::Stop {
                break;
            }
            out.save_cursor(&next).await?;
        }
        Ok(())
    }

    async fn stop(&self, number: u32, out: &Emit<Drop>) -> Result<()> {
        match self.fault {
            Fault::HearsNoStop => loop {
                out.send(self.drop(number)).await?;
            },
            Fault::FailsAtStop => Err(Error::halt("the sluice was shut")),
            Fault::CursorOfTheBatch | Fault::AgainAfterKill => out.save_cursor(&number).await,
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_good_brook_passes_with_a_cursor_or_without_drop_by_drop_or_by_the_handful() {
    for fault in [Fault::None, Fault::Follows, Fault::Pours] {
        SourceSuite::of(Brook::with(fault)).check(&Rig::new().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_broken_source_is_told_which_rule_it_breaks() {
    for (fault, rule) in BROKEN {
        let suite = SourceSuite::of(Brook::with(fault));
        names(rule, suite.check(&Rig::new().unwrap()).await);
    }
    all_are_broken("source.rs", BROKEN.into_iter().map(|(_, rule)| rule));
}
