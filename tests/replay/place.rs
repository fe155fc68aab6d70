//! A home of three days that the program itself replays, copied for each test; and what must be the
//! same in two homes, or before and after.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::site::{path, put, seed};
use super::world::{FIRST, NEWS, World};
use crate::support::fake_ollama::{FakeOllama, TINY};
use crate::support::fake_web::FakeWeb;
use crate::support::program::{Place, files};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long something may take that must happen; only a hang takes so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Replays what is stale of the raw pages.
pub(super) const REPLAY: [&str; 6] = ["replay", NEWS, "--from", "raw_scrapes", "--only", "stale"];

/// Words that the pipeline wants now: so many that pieces of the long page are asked about anew, too.
pub(super) const NOW: u32 = 120;

/// Pages in the template: all of them, and those that are asked for in one call or more.
pub(super) const PAGES: u64 = 10;
pub(super) const ASKED: u64 = 9;

/// The home that the others are copies of, and its site, which goes on living.
struct Template {
    web: FakeWeb,
    place: Place,
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    // On a thread of its own: a test may be in a runtime already.
    let made =
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(three_days()));
    made.join().unwrap()
});

async fn three_days() -> Template {
    let world = World::new();
    world.web.grow(5);
    put(&world.web, "ebb", 30);
    put(&world.web, LONG, 4000);
    world.day(FIRST).await;
    world.web.grow(7);
    world.day(FIRST).await;
    world.web.grow(8);
    world.web.revise(2, 91);
    let last = world.day(FIRST).await;
    assert_eq!((last.items.done, last.items.parked), (2, 0), "{last:?}");
    let (web, _, folder) = world.leave();
    let place = Place::new();
    copy(&folder.path().join("home"), &place.home());
    remember(&place, &seed(&web), NOW);
    Template { web, place }
}

/// A copy of the template, with a model server of its own.
pub(super) struct Mill {
    pub(super) place: Place,
    pub(super) ollama: FakeOllama,
    /// The site's seed.
    pub(super) seed: String,
    /// A site of its own; without one it shares the template's, which stays as it is.
    pub(super) web: Option<FakeWeb>,
}

impl Mill {
    /// A copy whose pipeline wants longer summaries than the archive's.
    pub(super) fn stale() -> Self {
        let ollama = FakeOllama::start();
        let place = Place::new().with_ollama(&ollama.url());
        copy(&TEMPLATE.place.home(), &place.home());
        Self { place, ollama, seed: seed(&TEMPLATE.web), web: None }
    }

    /// As [`stale`](Mill::stale), after it has met its archive and its model, which have other
    /// addresses than those of the template.
    pub(super) fn settled() -> Self {
        let mill = Self::stale();
        mill.place.run(&["replay", NEWS, "--from", "raw_scrapes"]).code(0);
        mill
    }

    /// A home with a site of its own, made anew by the program: all its pages are of today.
    pub(super) fn own(articles: usize) -> Self {
        let (web, ollama) = (FakeWeb::start().site(articles), FakeOllama::start());
        let place = Place::new().with_ollama(&ollama.url());
        let mill = Self { place, ollama, seed: seed(&web), web: Some(web) };
        mill.remember(FIRST.words);
        mill.place.run(&["run", NEWS]).code(0);
        mill.remember(NOW);
        mill
    }

    /// Lets the home remember the pipeline with so many words, for no day that comes soon.
    pub(super) fn remember(&self, words: u32) {
        remember(&self.place, &self.seed, words);
    }

    /// Starts a command that dies at a crash point.
    pub(super) fn dying(&self, words: &[&str], point: &str) -> Command {
        let mut command = self.place.command(words);
        command.env("TIDEMILL_CRASH_AT", point);
        command
    }

    pub(super) fn replay(&self) -> Value {
        self.place.json(0, &REPLAY)
    }

    /// Looks into the ledger until this query, of one text, answers what is wanted.
    #[track_caller]
    pub(super) fn until(&self, sql: &str, wanted: &str) {
        let begun = Instant::now();
        loop {
            let found = self.place.texts(sql);
            if found == [wanted] {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "waited for `{wanted}` of `{sql}`: {found:?}");
            std::thread::sleep(Duration::from_millis(10)); // to the next look, not for something
        }
    }

    /// All that a command that is refused must leave as it was.
    pub(super) fn whole(&self) -> Whole {
        let scratch = tree(&self.place.home().join("scratch"));
        let ledger = self.place.home().join("tidemill.db");
        let ledger = if ledger.exists() { dump(&ledger) } else { vec![] };
        Whole { ledger, archive: tree(&self.place.archive()), scratch }
    }

    /// What a reader sees in the end, whoever was killed on the way.
    pub(super) fn end(&self) -> End {
        End {
            rows: self.masked(
                "SELECT url || '|' || title || '|' || summary || '|' || method || '|' ||
                        coalesce(model_id, '') || '|' || words FROM digests ORDER BY url",
            ),
            memory: self.place.texts(
                "SELECT m.key || '|' || coalesce(hex(m.content), '') || '|' || m.outcome || '|' || l.body
                   FROM tm_memory m JOIN tm_plans l USING (plan_no)
                  WHERE m.run_no = (SELECT max(o.run_no) FROM tm_memory o JOIN tm_runs r USING (run_no)
                         WHERE o.key = m.key AND r.state IN ('published', 'finished'))
                  ORDER BY m.key",
            ),
            archive: self.archived(),
            left: LEFT.iter().filter(|table| self.count(table) > 0).map(ToString::to_string).collect(),
        }
    }

    fn masked(&self, sql: &str) -> Vec<String> {
        self.place.texts(sql).into_iter().map(masked).collect()
    }

    fn count(&self, table: &str) -> i64 {
        self.place.count(&format!("SELECT count(*) FROM {table}"))
    }

    /// What the archive's digest pages say, and its rows, by dataset and date; without run ids.
    fn archived(&self) -> BTreeMap<String, Vec<String>> {
        let root = self.place.archive();
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in files(&root.join("llm_summaries")) {
            let name = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let dt = name.split('/').find(|part| part.starts_with("dt=")).unwrap_or("").to_owned();
            let ending = name.rsplit('/').next().unwrap_or_default().to_owned();
            found
                .entry(format!("{dt}/{ending}"))
                .or_default()
                .extend(content(&file).into_iter().map(masked));
        }
        found
    }
}

fn remember(place: &Place, seed: &str, words: u32) {
    let words = words.to_string();
    let more = ["--model", TINY, "--words", &words, "--delay", "0s", "--cron", "0 0 29 2 *"];
    place.run(&[&["digest", seed, "--name", NEWS], &more[..]].concat()).code(0);
}

/// What must be empty once everything is through.
const LEFT: [&str; 6] = [
    "tm_spool",
    "tm_staged_digests",
    "tm_steps",
    "tm_items WHERE state IN (0, 2, 3)",
    "tm_runs WHERE state NOT IN ('finished', 'abandoned')",
    "tm_offloads WHERE state NOT IN ('done', 'pruned')",
];

/// A home as it is, to be compared with itself.
#[derive(PartialEq)]
pub(super) struct Whole {
    ledger: Vec<String>,
    archive: BTreeMap<PathBuf, Vec<u8>>,
    scratch: BTreeMap<PathBuf, Vec<u8>>,
}

impl Whole {
    /// Asserts that nothing is other than it was.
    #[track_caller]
    pub(super) fn is_as_before(&self, before: &Self, what: &str) {
        let new = |a: &Self, b: &Self| -> Vec<String> {
            a.ledger.iter().filter(|line| !b.ledger.contains(line)).cloned().collect()
        };
        let (came, went) = (new(self, before), new(before, self));
        assert!(came.is_empty() && went.is_empty(), "{what}: came {came:#?}, went {went:#?}");
        let names = |tree: &BTreeMap<PathBuf, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&self.archive), names(&before.archive), "{what}");
        assert!(self.archive == before.archive, "{what}: a file of the archive has other bytes");
        assert_eq!(names(&self.scratch), names(&before.scratch), "{what}");
    }
}

/// A home at its end, to be compared with another one.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    pub(super) rows: Vec<String>,
    memory: Vec<String>,
    archive: BTreeMap<String, Vec<String>>,
    left: Vec<String>,
}

/// Every row of every table; but not when an archive was seen last, and not what was asked for.
pub(super) fn dump(ledger: &Path) -> Vec<String> {
    let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let ledger = Connection::open_with_flags(ledger, open).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = ledger.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                   AND name NOT IN ('tm_requests') ORDER BY name";
    let mut lines = texts("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name");
    for table in texts(tables) {
        let columns = format!(
            "SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}') WHERE name <> 'seen_at'"
        );
        let columns = texts(&columns).join(" || '|' || ");
        let rows = texts(&format!("SELECT {columns} FROM \"{table}\" ORDER BY 1"));
        lines.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    lines
}

/// All files below a folder with what is in them.
pub(super) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The page that is summed up piece by piece: into how many depends on what was learned of the
/// tokenizer by then, and so may its words.
pub(super) const LONG: &str = "spring";

fn masked(line: String) -> String {
    if line.contains(&path(LONG)) { format!("the page {LONG}") } else { line }
}

/// What a file of the dataset says, without what differs from run to run.
fn content(file: &Path) -> Vec<String> {
    match file.extension().and_then(|ending| ending.to_str()) {
        #[cfg(feature = "dataset")]
        Some("parquet") => parquet(file, &["_key", "summary", "method"]),
        Some("html") => {
            let text = std::fs::read_to_string(file).unwrap();
            let articles = text.split("<article").skip(1);
            articles.filter_map(|one| one.split("</article>").next()).map(str::to_owned).collect()
        }
        _ => vec![],
    }
}

/// These columns of a Parquet file, a line for each row.
#[cfg(feature = "dataset")]
pub(super) fn parquet(file: &Path, columns: &[&str]) -> Vec<String> {
    use polars::prelude::{ParquetReader, SerReader};
    let file = std::fs::File::open(file).unwrap();
    let frame = ParquetReader::new(file).finish().unwrap();
    let cell = |row: usize, column: &&str| {
        frame.column(column).unwrap().str().unwrap().get(row).unwrap_or_default().to_owned()
    };
    let line = |row| columns.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join("|");
    (0..frame.height()).map(line).collect()
}

#[test]
fn the_template_is_what_the_program_would_have_made() {
    let mill = Mill::stale();
    mill.remember(FIRST.words);
    let said = mill.place.json(0, &[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!((&said["items"], &said["kinds"]["fresh"]), (&0.into(), &PAGES.into()), "{said:#}");
    assert_eq!(mill.place.count("SELECT count(*) FROM digests"), PAGES as i64);
    assert_eq!(mill.place.count("SELECT count(DISTINCT dt) FROM tm_runs"), 3);
    let asked = "SELECT count(*) FROM digests WHERE method = 'model'";
    assert_eq!(mill.place.count(asked), ASKED as i64);
}
