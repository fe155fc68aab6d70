//! What does a question to ten million archived rows cost, in time and memory, beside DuckDB?
//!
//! `cargo bench -p tidemill-stages --features sql --bench dataset -- [--items N]`
//!
//! The archive is made first: N rows of about 300 bytes (10 000 000 unless said otherwise) in 100
//! runs over a year, with manifests, as `.save(Parquet::dataset(..))` writes them; one row in five has
//! the key of an earlier one. Then each query runs three times, each time in a process of its own,
//! and three times in DuckDB, by the Python that `TIDEMILL_TEST_PYTHON` names; the best counts. Both
//! begin with nothing open; the files are in the system's cache. The exit code is 1 when a bound is
//! missed, 2 when something could not be measured.

#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "support/child.rs"]
mod child;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/ground.rs"]
mod ground;
#[path = "support/program.rs"]
mod program;
#[path = "support/rows.rs"]
mod rows;

use child::{Order, measure_in};
use figures::{Bound, Figure, Figures};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use tidemill_pipeline::{Error, Result};
use tidemill_stages::dataset::{archive_at, query};

const ROWS: u64 = 10_000_000;
const ROUNDS: usize = 3;
/// How much longer than DuckDB a query may take.
const SLOWER: f64 = 2.0;
/// The most memory that a query may take, MB (10^6 bytes).
const MEMORY: f64 = 512.0;

/// What is asked: in words, by what name a child is told, in SQL.
const QUERIES: [(&str, &str, &str); 7] = [
    (
        "a season, counted by date",
        "season",
        "SELECT dt, count(*) AS n, avg(words) AS w FROM llm_summaries WHERE dt >= '2025-03-01' AND dt < '2025-06-01' GROUP BY dt ORDER BY dt",
    ),
    (
        "all, by language and method",
        "groups",
        "SELECT language, method, count(*) AS n, sum(words) AS w, avg(quality) AS q FROM llm_summaries GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "distinct values by language",
        "distinct",
        "SELECT language, count(DISTINCT words) AS d FROM llm_summaries GROUP BY language ORDER BY language",
    ),
    (
        "words found in titles",
        "found",
        "SELECT count(*) AS n, sum(words) AS w FROM llm_summaries WHERE title LIKE 'tide%7'",
    ),
    (
        "the sites with most pages",
        "sites",
        "SELECT substr(url, 1, 20) AS s, count(*) AS n FROM llm_summaries GROUP BY 1 ORDER BY n DESC, s LIMIT 10",
    ),
    (
        "the best twenty, by two columns",
        "top",
        "SELECT url, words, quality FROM llm_summaries ORDER BY quality DESC, fetched DESC LIMIT 20",
    ),
    (
        "the newest versions, of two months",
        "newest",
        "SELECT language, count(*) AS n, sum(words) AS w FROM llm_summaries_newest WHERE dt >= '2025-11-01' GROUP BY language ORDER BY language",
    ),
];

fn main() -> ExitCode {
    program::main(
        &[("dataset", case)],
        &[
            ("season", |order| ask(order, 0)),
            ("groups", |order| ask(order, 1)),
            ("distinct", |order| ask(order, 2)),
            ("found", |order| ask(order, 3)),
            ("sites", |order| ask(order, 4)),
            ("top", |order| ask(order, 5)),
            ("newest", |order| ask(order, 6)),
        ],
    )
}

fn case(items: Option<u64>, figures: &mut Figures) -> Result<()> {
    let folder = ground::fresh_folder()?;
    rows::make(folder.path(), items.unwrap_or(ROWS))?;
    let theirs = duckdb(folder.path())?;
    for ((what, work, _), (reference, rows)) in QUERIES.into_iter().zip(theirs) {
        let (mut best, mut peak) = (f64::INFINITY, 0.0_f64);
        for _ in 0..ROUNDS {
            let found = measure_in(folder.path(), work, 0)?;
            if found.get("rows")? != rows {
                return Err(Error::halt(format!(
                    "{what}: {} rows, not {rows}",
                    found.get("rows")?
                )));
            }
            best = best.min(found.get("seconds")?);
            peak = peak.max(found.get("peak")?);
        }
        let bound = Bound::at_most(reference * SLOWER);
        let reference = Some((reference, "DuckDB"));
        figures.add(&Figure { what, value: best, unit: "s", reference, bound });
        let bound = Bound::at_most(MEMORY);
        figures.add(&Figure {
            what: "  its memory",
            value: peak,
            unit: "MB",
            reference: None,
            bound,
        });
    }
    Ok(())
}

/// Runs a query in this process.
fn ask(order: &Order, n: usize) -> Result<Vec<(&'static str, f64)>> {
    let (_, _, sql) = QUERIES.get(n).copied().unwrap_or_default();
    let (begun, mut rows) = (Instant::now(), 0);
    query(&archive_at(&order.folder)?, sql, &mut |frame| {
        rows += frame.height();
        Ok(())
    })?;
    Ok(vec![("seconds", begun.elapsed().as_secs_f64()), ("rows", rows as f64)])
}

/// Seconds and rows of each query in DuckDB.
fn duckdb(archive: &Path) -> Result<Vec<(f64, f64)>> {
    let python = std::env::var_os("TIDEMILL_TEST_PYTHON").ok_or_else(|| {
        Error::halt("there is nothing to compare with")
            .help("name a Python that has duckdb in TIDEMILL_TEST_PYTHON")
    })?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/dataset.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(archive)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        QUERIES.iter().try_for_each(|(_, _, sql)| writeln!(stdin, "{sql}"))?;
    }
    let told = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&told.stdout);
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let found: Vec<(f64, f64)> =
        pairs.map(|(time, rows)| Ok((time.parse()?, rows.parse()?))).collect::<Result<_>>()?;
    if found.len() == QUERIES.len() { Ok(found) } else { Err(Error::halt("DuckDB failed")) }
}
