//! A home, an archive and a model server for child processes that are killed.

use super::calls::{Death, Journal};
use super::{judge, task};
use crate::support::fake_ollama::FakeOllama;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidemill_pipeline::clock::{Clock, SystemClock};
use tidemill_pipeline::tier::{self, Init, Tier};

/// The signal that nobody can refuse.
const KILL: i32 = 9;

pub(super) struct Yard {
    folder: TempDir,
    pub(super) ollama: FakeOllama,
    pub(super) tier: Tier,
    /// How many items the source had, in each of its lives.
    pub(super) sizes: Vec<usize>,
    /// Where each of them was to end.
    aims: Vec<String>,
    pub(super) deaths: Vec<Death>,
    pub(super) journal: Journal,
}

impl Yard {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().canonicalize().unwrap().join("archive");
        std::fs::create_dir(&archive).unwrap();
        let (Init::Made(tier) | Init::Already(tier)) =
            tier::init(&archive, Some("crash"), SystemClock.now()).unwrap();
        let ollama = FakeOllama::start();
        Self {
            folder,
            ollama,
            tier,
            sizes: Vec::new(),
            aims: Vec::new(),
            deaths: Vec::new(),
            journal: Journal::default(),
        }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(super) fn witness(&self) -> PathBuf {
        self.folder.path().join("witness")
    }

    /// Runs to the end, which must come.
    pub(super) fn through(&mut self, items: usize) {
        let (child, since) = self.start(items, None);
        let ended = child.wait_with_output().unwrap();
        assert!(!self.died(&ended, Instant::now(), since, None), "killed by somebody else");
    }

    /// Runs until it dies at the `n`th pass of a crash point. False when it did not come there and
    /// went through.
    pub(super) fn killed_at(&mut self, items: usize, point: &str, n: u64) -> bool {
        let (child, since) = self.start(items, Some(&format!("{point}:{n}")));
        let ended = child.wait_with_output().unwrap();
        let at = Instant::now();
        self.died(&ended, at, since, Some(point))
    }

    /// Runs until the model was asked `k` times more, and `later`; then kills it from outside. False
    /// when it had gone through by then.
    pub(super) fn killed_in_call(&mut self, items: usize, k: usize, later: Duration) -> bool {
        let begun = self.ollama.started();
        let (mut child, since) = self.start(items, None);
        self.ollama.wait_for_started(begun + k);
        // Not to wait for anything: this is the moment that the dice chose.
        std::thread::sleep(later);
        let at = Instant::now();
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        self.died(&ended, at, since, None)
    }

    /// Takes a run back.
    pub(super) fn roll_back(&mut self, run: &str) {
        let ended = self.command(0, None).env(task::ROLLBACK, run).output().unwrap();
        assert!(
            !self.died(&ended, Instant::now(), Instant::now(), None),
            "killed by somebody else"
        );
    }

    /// Takes a run back and dies at the first pass of a crash point. False when it went through.
    pub(super) fn killed_in_rollback(&mut self, run: &str, point: &str) -> bool {
        let since = Instant::now();
        let ended = self.command(0, Some(point)).env(task::ROLLBACK, run).output().unwrap();
        self.died(&ended, Instant::now(), since, Some(point))
    }

    fn start(&mut self, items: usize, crash: Option<&str>) -> (Child, Instant) {
        self.sizes.push(items);
        let since = Instant::now();
        (self.command(items, crash).spawn().unwrap(), since)
    }

    fn command(&mut self, items: usize, crash: Option<&str>) -> Command {
        self.aims.push(crash.unwrap_or("its end, or a kill from outside").to_owned());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "crash::child", "--nocapture"])
            .env(task::HOME, self.home())
            .env(task::ARCHIVE, &self.tier.root)
            .env(task::MODEL, self.ollama.url().trim_start_matches("http://"))
            .env(task::ITEMS, items.to_string())
            .env(task::WITNESS, self.witness())
            .env("TZ", "UTC")
            .env_remove("TIDEMILL_CRASH_AT")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(crash) = crash {
            command.env("TIDEMILL_CRASH_AT", crash);
        }
        command
    }

    /// Judges how a process ended: it was killed, or went through (false) and has lost nothing.
    fn died(&mut self, ended: &Output, at: Instant, since: Instant, point: Option<&str>) -> bool {
        let killed = ended.status.signal() == Some(KILL);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(killed || ended.status.success(), "it ended by itself: {}: {said}", ended.status);
        // What it had sent is counted before the next one sends anything.
        self.ollama.settle();
        let over = Instant::now();
        let journaled = judge::journaled(self);
        judge::at_any_time(self, &journaled);
        let lost = self.journal.compare(&journaled, &self.ollama.prompts(), since);
        if killed {
            self.deaths.push(Death { at, over, point: point.map(str::to_owned), lost });
        } else {
            assert_eq!(lost, 0, "answers are lost, and nobody was killed");
        }
        killed
    }
}

impl Drop for Yard {
    /// A failure says what came before it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = &self.aims[self.aims.len().saturating_sub(5)..];
            eprintln!("life {} of this home; its last were to end at {last:?}", self.aims.len());
        }
    }
}
