//! A mill that serves under a clock that the test holds, and what it decided.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::clock::Wall;
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tidemill_pipeline::clock::{Clock, Zone};
use tidemill_pipeline::ledger::{FiringRow, ScheduleRow};
use tidemill_pipeline::mill::{Home, HomeOptions};
use tidemill_pipeline::run::Stop;
use tidemill_pipeline::serve::{
    Limits, Notice, NoticeKind, Notify, Order, Roster, ServeOptions, Server,
};
use tidemill_pipeline::{Mill, Result};
use tokio::task::JoinHandle;

/// A mill's folder and its clock.
pub(super) struct Stand {
    folder: TempDir,
    pub(super) wall: Arc<Wall>,
    pub(super) post: Arc<Post>,
    pub(super) limits: Limits,
    pub(super) tend_every: Duration,
}

/// A server at work.
pub(super) struct Serving {
    pub(super) home: Arc<Home>,
    pub(super) server: Arc<Server>,
    /// How often it has looked at the clock.
    looks: Arc<AtomicU64>,
    stop: Stop,
    task: JoinHandle<Result<()>>,
}

impl Stand {
    pub(super) fn at(time: &str) -> Self {
        let limits = Limits { parked: 0, away: Duration::from_secs(86_400) };
        Self {
            folder: folder(),
            wall: Wall::at(time),
            post: Arc::default(),
            limits,
            tend_every: Duration::from_secs(30),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn open(&self) -> Arc<Home> {
        let clock: Arc<dyn Clock> = self.wall.clone();
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        let options = HomeOptions { clock, zone, any_file_system: true, ..HomeOptions::owner() };
        Arc::new(Home::open(&self.path("mill"), options).unwrap())
    }

    /// Serves these jobs. Their zone is Amsterdam's.
    pub(super) async fn serve(&self, mill: Mill) -> Serving {
        mill.check().unwrap();
        let mut planned = mill.planned().to_vec();
        for timing in planned.iter_mut().filter_map(|planned| planned.timing.as_mut()) {
            timing.zone = Zone::named("Europe/Amsterdam").unwrap();
        }
        let (home, stop, looks) = (self.open(), Stop::default(), Arc::new(AtomicU64::new(0)));
        let looked = Arc::clone(&looks);
        let options = ServeOptions {
            notify: self.post.clone(),
            limits: self.limits,
            tend_every: self.tend_every,
            beat: Arc::new(move || {
                looked.fetch_add(1, SeqCst);
            }),
            stop: stop.clone(),
            ..ServeOptions::of(Roster::new(&planned, None))
        };
        let server = Server::new(&home, options).unwrap();
        server.open().await.unwrap();
        let task = tokio::spawn({
            let server = Arc::clone(&server);
            async move { server.run().await }
        });
        Serving { home, server, looks, stop, task }
    }
}

impl Serving {
    /// What was decided, oldest first, as `scheduled_for|decision|outcome`.
    pub(super) fn log(&self, pipeline: &str) -> Vec<String> {
        let line = |row: &FiringRow| {
            let outcome = row.outcome.clone().unwrap_or_default();
            format!("{}|{}|{outcome}", row.scheduled_for, row.decision)
        };
        self.rows(pipeline).iter().map(line).collect()
    }

    pub(super) fn rows(&self, pipeline: &str) -> Vec<FiringRow> {
        let read = self.home.ledger();
        let mut rows =
            read.read_now(|read| FiringRow::newest(read, Some(pipeline), 100_000)).unwrap();
        rows.reverse();
        rows
    }

    pub(super) fn schedule(&self, pipeline: &str) -> ScheduleRow {
        let row = self.home.ledger().read_now(|read| ScheduleRow::of(read, pipeline));
        row.unwrap().unwrap()
    }

    pub(super) async fn order(&self, order: Order) -> Result<serde_json::Value> {
        self.home.carry_out(order).await
    }

    /// Waits until what was decided looks like this. The limit only turns a hang into a failure.
    pub(super) async fn until(&self, pipeline: &str, looks: impl Fn(&[String]) -> bool) {
        for _ in 0..1000 {
            if looks(&self.log(pipeline)) {
                return;
            }
            // It may have looked at the clock just before the test turned it.
            self.server.nudge();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never came to that: {:#?}", self.log(pipeline));
    }

    /// Lets it look at the clock as it stands now, and returns when it has.
    pub(super) async fn looked(&self) {
        // The first may have begun before.
        let wanted = self.looks.load(SeqCst) + 2;
        while self.looks.load(SeqCst) < wanted {
            self.server.nudge();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until nothing is left to run, and so many times are decided.
    pub(super) async fn settled(&self, pipeline: &str, count: usize) {
        self.until(pipeline, |log| {
            let open = |line: &&String| line.ends_with("|fired|") || line.ends_with("|queued|");
            log.len() >= count && log.iter().find(open).is_none()
        })
        .await;
    }

    /// Ends as a signal would have it.
    pub(super) async fn stop(self) {
        self.stop.drain();
        tokio::time::timeout(Duration::from_secs(30), self.task).await.unwrap().unwrap().unwrap();
        drop(self.server);
        released(&self.home).await;
    }

    /// Ends as a kill would have it, as far as that goes in one process: nothing is brought to its
    /// end.
    pub(super) async fn kill(self) {
        self.stop.abort();
        self.task.abort();
        let _ = self.task.await; // it was cancelled
        drop(self.server);
        released(&self.home).await;
    }
}

/// In memory where that is possible: these tests are about time, not about disks.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Waits until nobody else holds the home: tasks that were told to end may do so for a moment.
async fn released(home: &Arc<Home>) {
    for _ in 0..5000 {
        if Arc::strong_count(home) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("somebody still holds the home");
}

/// Where notices go: a list. It can be shut, then they do not arrive.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) arrived: Mutex<Vec<Notice>>,
    pub(super) is_shut: Mutex<bool>,
}

impl Post {
    /// What arrived so far, as `kind: text`, without heartbeats.
    pub(super) fn told(&self) -> Vec<String> {
        let arrived = self.arrived.lock().unwrap();
        let told = arrived.iter().filter(|notice| notice.kind != NoticeKind::Done);
        told.map(|notice| format!("{}: {}", notice.kind.as_str(), notice.text)).collect()
    }

    pub(super) fn heartbeats(&self) -> usize {
        let arrived = self.arrived.lock().unwrap();
        arrived.iter().filter(|notice| notice.kind == NoticeKind::Done).count()
    }

    /// Waits until so many arrived.
    pub(super) async fn count(&self, count: usize) {
        for _ in 0..1000 {
            if self.told().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {:#?} arrived", self.told());
    }
}

impl Notify for Post {
    fn targets(&self, _kind: NoticeKind) -> Vec<String> {
        vec!["post".into()]
    }

    fn send<'a>(&'a self, _target: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if *self.is_shut.lock().unwrap() {
                return Err(tidemill_pipeline::Error::retry("the post is shut"));
            }
            self.arrived.lock().unwrap().push(notice.clone());
            Ok(())
        })
    }
}

pub(super) fn hours(n: i64) -> TimeDelta {
    TimeDelta::hours(n)
}
