//! What must hold whenever a process has ended, and what must hold at the end of all.

use super::calls::repeats;
use super::task::{self, DATASET, PIPELINE, TABLE};
use super::yard::Yard;
use crate::support::program::files;
use rusqlite::{Connection, OpenFlags};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;
use tidemill_pipeline::tier::{self, ArchivedRun};

/// The rows that the pipeline publishes.
const ROWS: &str = "SELECT key || '|' || text || '|' || answer FROM meals ORDER BY key";

/// What must be empty once everything is through: what waits for a seal, a publish, an offload.
const NOTHING_LEFT: [&str; 6] = [
    "tm_spool",
    "tm_staged_meals",
    "tm_steps",
    "tm_items WHERE state IN (0, 2, 3)",
    "tm_runs WHERE state NOT IN ('finished', 'abandoned')",
    "tm_offloads WHERE state NOT IN ('done', 'pruned')",
];

/// At any moment: readers see all of a publish or nothing of it, and the archive proves true.
pub(super) fn at_any_time(yard: &Yard, journaled: &HashSet<String>) {
    let Some(ledger) = ledger(yard) else { return };
    if texts(&ledger, "SELECT name FROM sqlite_schema WHERE type = 'table'").contains(&TABLE.into())
    {
        let rows = texts(&ledger, ROWS).len();
        assert!(
            rows == 0 || yard.sizes.contains(&rows),
            "{rows} rows are published, a part of all"
        );
    }
    let report = tier::verify(&yard.tier, &mut |_| ()).unwrap();
    assert!(report.is_sound() && report.unlisted.is_empty(), "{report:?}");
    for key in witnessed(yard) {
        assert!(journaled.contains(&key), "{key} was remembered, and its answer is not there");
    }
}

/// At the end the home is as one that was never killed; the model was asked again only for what
/// nobody had received. Returns how old the lost answers were at kills from outside.
pub(super) fn at_end(yard: &Yard, unbroken: &[String]) -> Vec<Duration> {
    let ledger = ledger(yard).unwrap();
    same(&texts(&ledger, ROWS), unbroken, "the table");
    for table in NOTHING_LEFT {
        let left = texts(&ledger, &format!("SELECT count(*) || '' FROM {table}"));
        assert_eq!(left, ["0"], "rows are left in {table}");
    }
    archive(yard, unbroken);
    logs(yard, &texts(&ledger, "SELECT id FROM tm_runs WHERE state = 'finished'"));
    assert_eq!(files(&yard.home().join("scratch")), Vec::<std::path::PathBuf>::new());

    let prompts = yard.ollama.prompts();
    assert_eq!(prompts.len(), unbroken.len(), "each item is asked for");
    yard.journal.at_end(&prompts);
    prompts.iter().flat_map(|prompt| repeats(prompt, &yard.deaths).unwrap()).collect()
}

/// The published rows.
pub(super) fn rows(yard: &Yard) -> Vec<String> {
    texts(&ledger(yard).unwrap(), ROWS)
}

/// The published rows of a home, as another program reads them.
pub(super) fn rows_in(home: &Path) -> Vec<String> {
    let file = open(&home.join("tidemill.db"));
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    texts(&file, ROWS)
}

/// The newest run that changed rows.
pub(super) fn newest(yard: &Yard) -> String {
    // By number: the ids of runs that began in the same second do not sort.
    let sql = "SELECT id FROM tm_runs WHERE changed_rows > 0 ORDER BY run_no DESC LIMIT 1";
    texts(&ledger(yard).unwrap(), sql).remove(0)
}

/// Items whose answer is in the ledger.
pub(super) fn journaled(yard: &Yard) -> HashSet<String> {
    let Some(ledger) = ledger(yard) else { return HashSet::new() };
    let known: HashSet<_> = texts(&ledger, "SELECT hex(key) FROM tm_calls").into_iter().collect();
    let all = yard.sizes.iter().max().map_or(0, |items| *items);
    let keys = (0..all).map(|n| format!("grain-{n:05}"));
    keys.filter(|key| known.contains(&task::call(key).to_hex().to_uppercase())).collect()
}

/// Every item once over all runs; all manifests true; the newest snapshot is the table.
fn archive(yard: &Yard, unbroken: &[String]) {
    let report = tier::verify(&yard.tier, &mut |_| ()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.torn.is_empty() && report.unlisted.is_empty(), "{report:?}");
    let runs = tier::runs(&yard.tier).unwrap();
    let mut lines: Vec<String> = of(&runs, DATASET).flat_map(lines).collect();
    lines.sort();
    same(&lines, unbroken, "the archived lines");
    let newest = newest(yard);
    let Some(newest) = of(&runs, "sqlite").find(|run| run.run == newest) else {
        panic!("the snapshot of {newest} is not in the archive");
    };
    let snapshot = open(&newest.folder.join(format!("{PIPELINE}.sqlite")));
    same(&texts(&snapshot, ROWS), unbroken, "the snapshot");
    let incoming = yard.tier.root.join(".tidemill").join("incoming");
    assert_eq!(files(&incoming), Vec::<std::path::PathBuf>::new());
}

/// The log of each run that was published is in the archive, as it was at its last seal.
fn logs(yard: &Yard, published: &[String]) {
    let runs = tier::runs(&yard.tier).unwrap();
    for run in of(&runs, "logs") {
        let own = yard.home().join("logs").join(format!("{}.log", run.run));
        let own = std::fs::read(own).unwrap();
        assert!(!own.is_empty() && own == std::fs::read(run.folder.join("run.log")).unwrap());
    }
    let archived: BTreeSet<_> = of(&runs, "logs").map(|run| run.run.as_str()).collect();
    assert_eq!(archived, published.iter().map(String::as_str).collect());
}

fn of<'a>(runs: &'a [ArchivedRun], dataset: &'a str) -> impl Iterator<Item = &'a ArchivedRun> {
    runs.iter().filter(move |run| run.dataset == dataset)
}

fn lines(run: &ArchivedRun) -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(run.folder.join(path)).unwrap();
    let texts = run.manifest.files.iter().map(|file| read(&file.path));
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Compares row by row, and names the first row that differs instead of showing thousands.
fn same(found: &[String], expected: &[String], what: &str) {
    let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{what} differs");
    assert_eq!(found.len(), expected.len(), "{what} has other rows than an unbroken run's");
}

fn witnessed(yard: &Yard) -> Vec<String> {
    let text = std::fs::read_to_string(yard.witness()).unwrap_or_default();
    // A last line without its end was never finished.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(str::to_owned).collect()
}

/// The ledger as any other program sees it; a child may have died before there was one.
fn ledger(yard: &Yard) -> Option<Connection> {
    let file = yard.home().join("tidemill.db");
    let ledger = file.is_file().then(|| open(&file))?;
    let made = texts(&ledger, "SELECT name FROM sqlite_schema WHERE name = 'tm_calls'");
    (!made.is_empty()).then_some(ledger)
}

fn open(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn texts(database: &Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
