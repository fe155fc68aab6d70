//! The program as a person runs it: a command line in, exit code, report and text out.
#![expect(clippy::unwrap_used, reason = "tests")]

use rusqlite::Connection;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A home of its own for one test, with the program at hand.
pub(crate) struct Place {
    folder: TempDir,
    ollama: Option<String>,
}

/// What a command came to.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The JSON report.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("no report ({e}): {} {}", self.stdout, self.stderr))
    }

    /// Asserts the exit code, showing what was said when it is another.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that a text was said on stderr.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        self
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), ollama: None }
    }

    /// Where models are asked; without this no model is found.
    pub(crate) fn with_ollama(mut self, url: &str) -> Self {
        self.ollama = Some(url.to_string());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.home().join("archive")
    }

    /// A command on this home.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TIDEMILL_HOME", self.home())
            .env_remove("TIDEMILL_ARCHIVE")
            .env_remove("TIDEMILL_LOG_FORMAT")
            .env("TZ", "UTC")
            // Port 1 on loopback refuses at once: no test finds a model by accident.
            .env("OLLAMA_HOST", self.ollama.as_deref().unwrap_or("http://127.0.0.1:1"));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().unwrap())
    }

    /// Runs a command with `--json` and returns its report.
    #[track_caller]
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        self.run(&all).code(code).report()
    }

    /// Starts a command and goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The ledger, read-only, as any other program sees it.
    pub(crate) fn ledger(&self) -> Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.home().join("tidemill.db"), flags).unwrap()
    }

    /// A number from the ledger.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.ledger().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Texts from the ledger.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let ledger = self.ledger();
        let mut statement = ledger.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Files on scratch.
    pub(crate) fn scratch(&self) -> Vec<PathBuf> {
        files(&self.home().join("scratch"))
    }
}

pub(crate) fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// All files below a folder, sorted; none when it is not there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The files below a folder whose names end like this.
pub(crate) fn files_like(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let like = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
    files(folder).into_iter().filter(like).collect()
}

/// A Python with `warcio` and `duckdb`, by `TIDEMILL_TEST_PYTHON`; tests say that they skip.
pub(crate) fn python(what: &str) -> Option<PathBuf> {
    let python = std::env::var_os("TIDEMILL_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: {what}: TIDEMILL_TEST_PYTHON names no Python with warcio and duckdb");
    }
    python
}

/// Does something for each crash point and pass of these, two at a time.
pub(crate) fn two_at_a_time(
    kills: impl IntoIterator<Item = (&'static str, u64)>,
    kill: impl Fn(&str, u64) + Sync,
) {
    let kills = std::sync::Mutex::new(kills.into_iter().collect::<Vec<_>>());
    let worker = || {
        loop {
            let Some((point, n)) = kills.lock().unwrap().pop() else { return };
            kill(point, n);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        scope.spawn(worker);
    });
}
