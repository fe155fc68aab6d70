//! A year of archive: raw pages as fetching leaves them, and a ledger that knows them as done by an
//! older prompt.

use super::done;
use chrono::{DateTime, Days, NaiveDate, Utc};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use tidemill_pipeline::tier::{Parcel, Presence, Tier, look, ship};
use tidemill_pipeline::{Error, Fingerprint, Result};
use tidemill_stages::warc::cdxj::Line;
use tidemill_stages::warc::{Capture, Origin, Part, Record, encode};
use url::Url;

pub(crate) const DAYS: u32 = 365;
/// Pages of a day; each is another one.
pub(crate) const PAGES: u32 = 1000;
/// The words of a summary, then and now.
const WORDS: [&str; 2] = ["60", "80"];

const BODY: &str = "<!doctype html><title>Tides</title><p>The water comes and goes.</p>";

/// The date of a day.
pub(crate) fn day(n: u32) -> NaiveDate {
    NaiveDate::default() + Days::new(20_089 + u64::from(n)) // from 2025-01-01 on
}

/// A command on this home; no model is found by accident.
pub(crate) fn command(program: &Path, home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).arg("--home").arg(home).env("TZ", "UTC").stdin(Stdio::null());
    command.env("OLLAMA_HOST", "http://127.0.0.1:1").env_remove("TIDEMILL_ARCHIVE");
    command
}

/// Makes the home and its archive.
pub(crate) fn make(program: &Path, home: &Path) -> Result<()> {
    // A first run makes the home, its archive, and the chain of steps of then. Its model is away.
    let digest = |words: &str, more: &[&str]| {
        let digest = ["digest", "demo:", "--name", "news", "--model", "tiny", "--delay", "0s"];
        let words = [&digest[..], &["--words", words, "--quiet"], more].concat();
        done(&mut command(program, home, &words))
    };
    digest(WORDS[0], &[])?;
    digest(WORDS[1], &["--cron", "0 0 29 2 *"])?;
    let tier = match look(&home.join("archive"), None) {
        Presence::Here(tier) => tier,
        other => return Err(Error::halt(format!("the archive is not there: {other:?}"))),
    };
    // Its own pages are none of the year's.
    std::fs::remove_dir_all(home.join("archive/raw_scrapes"))?;
    let mut ledger = Connection::open(home.join("tidemill.db"))?;
    let mill: String =
        ledger.query_row("SELECT value FROM tm_meta WHERE name = 'mill'", [], |row| row.get(0))?;
    for n in 0..DAYS {
        ship_day(&tier, &mill, home, n)?;
    }
    remember(&mut ledger)
}

fn run_of(n: u32) -> String {
    format!("{}T060000Z-{n:06x}", day(n).format("%Y%m%d"))
}

fn url_of(n: u32, page: u32) -> String {
    format!("https://news.example/{}/{page}", day(n))
}

fn six(n: u32) -> DateTime<Utc> {
    day(n).and_hms_opt(6, 0, 0).unwrap_or_default().and_utc()
}

/// One day's capture, as it is sealed and offloaded.
fn ship_day(tier: &Tier, mill: &str, home: &Path, n: u32) -> Result<()> {
    let source = home.join("scratch-of-the-year");
    std::fs::create_dir_all(&source)?;
    let mut part = Part::open(&source, 0, 0)?;
    let name = part.name();
    let info = Record::warcinfo(&name, six(n), &[("software", "tidemill")]);
    part.append(&encode(&info)?)?;
    let mut lines = Vec::with_capacity(PAGES as usize);
    let headers = [("Content-Type".to_string(), "text/html; charset=utf-8".to_string())];
    for page in 0..PAGES {
        let url = Url::parse(&url_of(n, page))?;
        let body = BODY.as_bytes();
        let (date, headers) = (six(n), &headers[..]);
        let capture =
            Capture { url: &url, date, status: 200, reason: "OK", headers, body, ip: None };
        let origin = Origin { key: Some(url.to_string()), final_url: url.clone() };
        let record = Record::response_for(&capture, &origin);
        let (offset, length) = part.append(&encode(&record)?)?;
        lines.extend(Line::of(&record, offset, length, &name)?);
    }
    part.seal(&lines)?;
    let parcel = Parcel {
        mill: mill.to_string(),
        pipeline: "news".into(),
        dataset: "raw_scrapes".into(),
        run: run_of(n),
        dt: day(n),
        source: source.clone(),
        files: vec![name, part.index_name()],
        created: six(n),
        rows: BTreeMap::new(),
    };
    ship(tier, &parcel, &|| ())?;
    std::fs::remove_dir_all(source)?;
    Ok(())
}

/// Writes into the ledger what it would know of all these runs.
fn remember(ledger: &mut Connection) -> Result<()> {
    let tx = ledger.transaction()?;
    // Runs of the year have lower numbers than that first run.
    tx.execute_batch(
        "UPDATE tm_runs SET run_no = 1000000; UPDATE tm_items SET run_no = 1000000;
         UPDATE tm_memory SET run_no = 1000000; UPDATE tm_parked SET run_no = 1000000;
         UPDATE tm_offloads SET run_no = 1000000; UPDATE tm_artifacts SET run_no = 1000000;",
    )?;
    let content = Fingerprint::of(&BODY);
    {
        let mut run = tx.prepare(
            "INSERT INTO tm_runs (run_no, id, pipeline_no, plan_no, source, source_name, trigger,
                    scheduled_for, attempt, dt, state, source_done, started_at, ended_at)
             SELECT ?1, ?2, pipeline_no, plan_no, source, source_name, 'schedule', ?3, 1, ?4,
                    'finished', 1, ?5, ?5 FROM tm_runs WHERE run_no = 1000000",
        )?;
        for n in 0..DAYS {
            let at = six(n);
            let (nominal, dt) = (at.format("%Y-%m-%dT%H:%M:%S").to_string(), day(n).to_string());
            run.execute(params![n + 1, run_of(n), nominal, dt, at.timestamp_millis()])?;
        }
        let mut memory = tx.prepare(
            "INSERT INTO tm_memory (pipeline_no, key, run_no, content, outcome, plan_no) VALUES (1, ?1, ?2, ?3, 1, 1)",
        )?;
        let mut cost = tx
            .prepare("INSERT INTO tm_costs VALUES (1, ?1, 'summarise', ?2, ?3, 1, 900, 120, ?4)")?;
        let measure = serde_json::json!({ "words": 420, "body": 700.0, "head": 20.0 }).to_string();
        for n in 0..DAYS {
            for page in 0..PAGES {
                let url = url_of(n, page);
                memory.execute(params![url, n + 1, content.as_bytes()])?;
                cost.execute(params![url, content.as_bytes(), n + 1, measure])?;
            }
        }
    }
    tx.commit()?;
    Ok(())
}
