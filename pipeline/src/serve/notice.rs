//! Notices: what a person wants to be told who does not look. How they travel is not the engine's
//! business.

use crate::Result;
use crate::run::Counts;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A run failed, and is not tried again by itself.
    Failed,
    /// More items than the limit are parked.
    Parked,
    /// An archive or a model has been away for too long.
    Away,
    /// A source yields nothing, or its items come out empty, where the runs before had them.
    Yield,
    /// A run is done: the heartbeat.
    Done,
    /// Nothing happened: somebody wants to see whether notices arrive.
    Test,
}

impl NoticeKind {
    /// Its name, as the ledger and notices write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NoticeKind::Failed => "failed",
            NoticeKind::Parked => "parked",
            NoticeKind::Away => "away",
            NoticeKind::Yield => "yield",
            NoticeKind::Done => "done",
            NoticeKind::Test => "test",
        }
    }
}

/// Something that a person is told. It carries counts and reasons: no text of pages, no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// The pipeline.
    pub pipeline: String,
    /// The run's id, when it is about one.
    pub run: Option<String>,
    /// One line for a person: what happened.
    pub text: String,
    /// What to do about it, when there is something.
    pub help: Option<String>,
    /// Items of the run, by where they ended.
    pub items: Option<Counts>,
    /// The mill's id.
    pub mill: String,
    /// When it happened, milliseconds since 1970.
    pub at: i64,
}

/// Takes notices to where a person sees them.
pub trait Notify: Debug + Send + Sync + 'static {
    /// The names of the places that want notices of this kind; a name tells no secret.
    fn targets(&self, kind: NoticeKind) -> Vec<String>;

    /// Brings one notice to one of these places, once. An error means that it is tried again later;
    /// with the verdict *park* that it is not.
    fn send<'a>(&'a self, target: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<()>>;
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mute;

impl Notify for Mute {
    fn targets(&self, _kind: NoticeKind) -> Vec<String> {
        Vec::new()
    }

    fn send<'a>(&'a self, _target: &'a str, _notice: &'a Notice) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
