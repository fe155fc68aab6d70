//! Promise: an archive that an earlier version wrote is read by every later one.

use crate::support::program::{Place, files, files_like};
use std::path::{Path, PathBuf};
use tidemill_pipeline::tier::catalog::survey;
use tidemill_pipeline::tier::{Presence, Tier, look, verify};
use tidemill_stages::warc::cdxj::lookup;
use tidemill_stages::warc::{Kind, Reader, http};

const SITE: &str = "http://127.0.0.1:8080/articles";

/// A checked-in archive.
fn archive(name: &str) -> Tier {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives").join(name);
    let Presence::Here(tier) = look(&root, None) else {
        panic!("{} is no archive any more", root.display())
    };
    tier
}

#[test]
fn format_1_is_trusted_and_sound() {
    let tier = archive("format-1");
    let seen = survey(&tier).unwrap();
    assert!(seen.untrusted.is_empty() && seen.leaving.is_empty(), "{seen:?}");
    let runs: Vec<(&str, String, usize)> = seen
        .runs
        .iter()
        .map(|run| (run.dataset.as_str(), run.dt.to_string(), run.manifest.files.len()))
        .collect();
    let of = |dataset, files| {
        ["2026-11-18", "2026-11-19"].map(|dt: &str| (dataset, dt.to_string(), files))
    };
    let expected =
        [of("llm_summaries", 2), of("logs", 1), of("raw_scrapes", 2), of("sqlite", 1)].concat();
    assert_eq!(runs, expected);
    seen.runs.iter().for_each(|run| run.check_sizes().unwrap());
    let report = verify(&tier, &mut |_| ()).unwrap();
    assert!(report.is_sound() && report.unlisted.is_empty(), "{report:?}");
    assert_eq!((report.runs, report.files), (8, 12));
}

#[test]
fn format_1_with_a_replay_in_it_is_trusted_and_sound() {
    let tier = archive("format-1-keyed");
    let seen = survey(&tier).unwrap();
    assert!(seen.untrusted.is_empty() && seen.leaving.is_empty(), "{seen:?}");
    let summaries = seen.runs.iter().filter(|run| run.dataset == "llm_summaries");
    assert_eq!((seen.runs.len(), summaries.count()), (10, 3));
    let report = verify(&tier, &mut |_| ()).unwrap();
    assert!(report.is_sound() && report.unlisted.is_empty(), "{report:?}");
}

#[cfg(feature = "dataset")]
#[test]
fn the_newest_summaries_of_format_1_are_those_of_its_replay() {
    let (place, root) = (Place::new(), archive("format-1-keyed").root);
    let export = ["dataset", "export", "llm_summaries", "--newest", "--format", "jsonl"];
    let whole = [&export[..], &["--out", "-", "--archive", root.to_str().unwrap()]].concat();
    let ended = place.run(&whole).code(0);
    let rows: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut newest: Vec<_> = rows
        .iter()
        .map(|row| (row["_key"].as_str().unwrap().to_owned(), row["_run"].to_string()))
        .collect();
    newest.sort();
    let runs: Vec<_> = newest.iter().map(|(_, run)| run.as_str()).collect();
    assert_eq!(newest.len(), 3, "{newest:?}");
    // Pages 1 and 3 by the replay; page 2 was done by the second run, in as many words.
    assert!(runs[0] == runs[2] && runs[1] < runs[0], "{newest:?}");
}

#[test]
fn format_1_passes_the_verb_verify() {
    let root = archive("format-1").root;
    let place = Place::new();
    let copy = place.path("copy");
    for file in files(&root) {
        let to = copy.join(file.strip_prefix(&root).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, &to).unwrap();
    }
    let archive = copy.to_str().unwrap();
    let verified = place.json(0, &["verify", "--archive", archive]);
    assert_eq!(verified[0]["sound"], true, "{verified}");
    let changed = &files_like(&copy, ".cdxj")[0];
    std::fs::write(changed, "nothing").unwrap();
    assert_ne!(place.run(&["verify", "--archive", archive]).code, 0, "a changed file is seen");
}

/// The raw pages of a day: address, status, content type, and the body.
fn captures(part: &Path) -> Vec<(String, u16, String, Vec<u8>)> {
    let records = Reader::open(part, 1 << 20).unwrap().map(|located| located.unwrap().record);
    let responses = records.filter(|record| record.kind == Kind::Response);
    let capture = responses.map(|record| {
        let part = http(&record).unwrap();
        let content_type = part.header("Content-Type").unwrap_or_default().to_owned();
        (record.target.unwrap_or_default(), part.status, content_type, part.body)
    });
    capture.collect()
}

#[test]
fn the_raw_pages_of_format_1_are_read() {
    let parts = files_like(&archive("format-1").root, ".warc.gz");
    let [first, second] = [captures(&parts[0]), captures(&parts[1])];
    let found = |captures: &[(String, u16, String, Vec<u8>)], path: &str, words: &str| {
        let of = |url: &str| url == format!("{SITE}/{path}");
        let (_, status, content_type, body) = captures.iter().find(|c| of(&c.0)).unwrap();
        let text = tidemill_stages::fetch::decode(body, Some(content_type.as_str())).text;
        assert!(*status == 200 && text.contains(words), "{path}: {text}");
        content_type.clone()
    };
    assert_eq!((first.len(), second.len()), (5, 2), "the feed, and the pages");
    assert_eq!(
        found(&first, "tides", "<title>The tides of Port Ebb</title>"),
        "text/html; charset=utf-8"
    );
    assert_eq!(
        found(&first, "cafe", "die Wirtin verspricht größere Stücke"),
        "text/html; charset=ISO-8859-1"
    );
    assert_eq!(found(&first, "grain", "<title>Grain by barge</title>"), "text/html");
    found(&first, "light?page=2", "<title>A hundred years of light</title>");
    found(&second, "tides", "On Friday the council decided");
    assert!(!String::from_utf8_lossy(&first[1].3).contains("On Friday the council decided"));
}

#[test]
fn the_index_of_format_1_leads_to_its_records() {
    let root = archive("format-1").root;
    let (index, part) = (&files_like(&root, ".cdxj")[0], &files_like(&root, ".warc.gz")[0]);
    let bytes = std::fs::read(part).unwrap();
    for path in ["tides", "cafe", "grain", "light?page=2"] {
        let url = format!("{SITE}/{path}");
        let [line] = &lookup(std::fs::File::open(index).unwrap(), &url).unwrap()[..] else {
            panic!("{url} is not found once")
        };
        let place = &line.place;
        let (from, to) = (place.offset as usize, (place.offset + place.length) as usize);
        let record = tidemill_stages::warc::decode(&bytes[from..to]).unwrap();
        assert_eq!((record.target, place.status.as_deref()), (Some(url), Some("200")));
    }
}

#[test]
fn the_snapshots_of_format_1_are_read() {
    let titles = |snapshot: &PathBuf| {
        let snapshot = rusqlite::Connection::open_with_flags(
            format!("file:{}?immutable=1", snapshot.display()),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI,
        )
        .unwrap();
        let mut rows = snapshot.prepare("SELECT title FROM digests ORDER BY url").unwrap();
        let titles = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        titles.map(Result::unwrap).collect::<Vec<_>>()
    };
    let all = ["Das Café am Deich", "Grain by barge", "A hundred years of light"];
    let all = [&all[..], &["The tides of Port Ebb"]].concat();
    let snapshots = files_like(&archive("format-1").root, ".sqlite");
    assert_eq!(snapshots.len(), 2);
    assert!(snapshots.iter().all(|snapshot| titles(snapshot) == all));
}

#[cfg(feature = "dataset")]
mod parquet {
    use super::{SITE, archive, files_like};
    use crate::support::program::{ended, python};
    use polars::prelude::{DataFrame, ParquetReader, SerReader};
    use std::collections::BTreeMap;
    use std::process::Command;

    fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
        let column = frame.column(column).unwrap().str().unwrap();
        column.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_summaries_of_format_1_are_read_and_the_newest_of_a_key_is_known() {
        let parts = files_like(&archive("format-1").root, ".parquet");
        let frames = parts
            .iter()
            .map(|part| ParquetReader::new(std::fs::File::open(part).unwrap()).finish().unwrap());
        let frames: Vec<DataFrame> = frames.collect();
        assert_eq!(frames.iter().map(DataFrame::height).collect::<Vec<_>>(), [4, 1]);
        let mut newest = BTreeMap::new();
        for frame in &frames {
            let (keys, titles) = (texts(frame, "_key"), texts(frame, "title"));
            let rest = texts(frame, "_run").into_iter().zip(texts(frame, "_input"));
            for ((key, title), (run, input)) in keys.into_iter().zip(titles).zip(rest) {
                assert_eq!(input.len(), 64, "the hash of the page");
                newest.insert(key, (title, run));
            }
        }
        let of = |path: &str| &newest[&format!("{SITE}/{path}")];
        assert_eq!(newest.len(), 4);
        assert_eq!(of("tides").0, "The tides of Port Ebb");
        assert_eq!(of("cafe").0, "Das Café am Deich");
        assert!(of("tides").1 > of("cafe").1, "the page that changed is of the later run");
        assert_eq!(of("cafe").1, of("light?page=2").1);
    }

    #[test]
    fn others_read_the_summaries_of_format_1() {
        let Some(python) = python("DuckDB on an archive of format 1") else { return };
        let glob = archive("format-1").root.join("llm_summaries/*/dt=*/run=*/*.parquet");
        let script = "import duckdb, sys; print(duckdb.sql(f\"select count(*), count(distinct _key), \
                      max(dt) from read_parquet('{sys.argv[1]}', hive_partitioning=true)\").fetchall())";
        let read = Command::new(python).args(["-c", script]).arg(glob).output().unwrap();
        assert_eq!(ended(read).code(0).stdout.trim(), "[(5, 4, datetime.date(2026, 11, 19))]");
    }
}

#[test]
fn others_read_the_raw_pages_of_format_1() {
    use crate::support::program::{ended, python};
    let Some(python) = python("warcio on an archive of format 1") else { return };
    for part in files_like(&archive("format-1").root, ".warc.gz") {
        let mut check = std::process::Command::new(&python);
        check.args(["-m", "warcio.cli", "check"]);
        ended(check.arg(part).output().unwrap()).code(0);
    }
}
