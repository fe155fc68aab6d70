//! The numbers, read by a small parser that is as strict as Prometheus.
#![expect(clippy::expect_used, reason = "tests")]

use super::get;
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tidemill::health::Health;
use tidemill::listen::Listener;
use tidemill_pipeline::mill::{Home, HomeOptions};

/// What a page of numbers says: each sample, as `name{label="value"}`.
struct Numbers(BTreeMap<String, f64>);

impl Numbers {
    /// Reads the text, and refuses what Prometheus would not take.
    fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line is not ended");
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut helped, mut typed) = ("", "");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                helped = help.split_once(' ').expect("a name and a text").0;
                assert!(families.insert(helped), "{helped} is there twice");
                continue;
            }
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                typed = kind.strip_suffix(" gauge").expect("a gauge");
                assert_eq!(typed, helped, "the type of another family");
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            let (family, labels) = name.split_once('{').unwrap_or((name, "}"));
            assert_eq!(family, typed, "a sample outside its family: {line}");
            assert!(family.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{family}");
            check_labels(labels.strip_suffix('}').expect("an end of the labels"));
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(samples.insert(name.to_string(), value).is_none(), "{name} is there twice");
        }
        Self(samples)
    }

    #[track_caller]
    fn of(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.0.keys()))
    }
}

/// `a="x",b="y"`, with nothing between and nothing unescaped; no value of ours has a comma.
fn check_labels(labels: &str) {
    for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').expect("a label and its value");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{pair}");
        let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let inner = inner.unwrap_or_else(|| panic!("not quoted: {pair}"));
        assert!(!inner.contains(['"', '\\', '\n']), "{pair}");
    }
}

/// What a home's listener says.
fn scrape(place: &Place) -> String {
    let home = Home::open(&place.home(), HomeOptions::default()).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = Listener::start(address, false, Arc::new(home), Health::new()).unwrap();
    let answer = get(listener.address(), "/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    body.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_are_those_of_the_ledger() {
    let web = FakeWeb::start().empty("/empty");
    let place = Place::new();
    let empty = web.url("/empty");
    place.run(&["digest", "--delay", "0s", &empty]).code(1);

    let text = scrape(&place);
    let numbers = Numbers::read(&text);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(numbers.of(&format!("tidemill_build_info{{version=\"{version}\"}}")), 1.0);
    let digest = |name: &str| numbers.of(&format!("tidemill_{name}{{pipeline=\"digest\"}}"));
    let state = |name: &str, state: &str| {
        numbers.of(&format!("tidemill_{name}{{pipeline=\"digest\",state=\"{state}\"}}"))
    };
    assert_eq!(state("runs", "finished"), 1.0);
    assert_eq!(state("run_items", "parked"), 1.0);
    assert_eq!(state("run_items", "done"), 0.0);
    assert_eq!(state("items", "parked"), 1.0);
    assert_eq!(state("items", "stale"), 0.0);
    assert_eq!(state("items", "known"), place.count("SELECT count(*) FROM tm_memory") as f64);
    let ended = place.count("SELECT ended_at FROM tm_runs") as f64;
    assert_eq!(state("last_run_timestamp_seconds", "finished"), ended / 1000.0);
    let millis = place.count("SELECT json_extract(report, '$.millis') FROM tm_runs") as f64;
    assert_eq!(digest("last_run_duration_seconds"), millis / 1000.0);
    assert_eq!(digest("offload_waiting"), 0.0);
    let archived = place.count("SELECT sum(bytes) FROM tm_offloads") as f64;
    assert!(archived > 0.0 && digest("archived_bytes") == archived);
    // Most of it may still be in the log beside the file.
    let on_disk = numbers.of("tidemill_ledger_bytes") + numbers.of("tidemill_wal_bytes");
    assert!(on_disk > 50_000.0, "{on_disk}");
    let answers = place.count("SELECT count(*) FROM tm_calls") as f64;
    assert_eq!(numbers.of("tidemill_model_answers"), answers);
    assert_eq!(numbers.of("tidemill_runs_at_work"), 0.0);
    assert!(!text.contains("/empty"), "no address of a page: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_at_work_and_files_that_wait_are_counted() {
    let place = Place::new();
    drop(Home::open(&place.home(), HomeOptions::owner()).unwrap());
    let ledger = rusqlite::Connection::open(place.home().join("tidemill.db")).unwrap();
    ledger
        .execute_batch(
            r#"INSERT INTO tm_pipelines (pipeline_no, name) VALUES (1, 'news'), (2, 'new');
               INSERT INTO tm_runs (run_no, id, pipeline_no, plan_no, source, source_name, trigger,
                   scheduled_for, attempt, dt, state, started_at, ended_at, progress)
                 VALUES (1, 'a', 1, 1, x'', '', 'hand', '', 1, '', 'published', 1000, 3500, NULL),
                        (2, 'b', 1, 1, x'', '', 'hand', '', 1, '', 'running', 5000, NULL,
                         '{"recorded":9,"items":{"done":4,"unchanged":3,"waiting":2,"parked":1}}'),
                        (3, 'c', 1, 1, x'', '', 'try', '', 1, '', 'abandoned', 6000, 6001, NULL);
               INSERT INTO tm_offloads (run_no, dataset, state, bytes)
                 VALUES (1, 'logs', 'sealed', 0), (1, 'sqlite', 'planned', 0),
                        (1, 'raw_scrapes', 'committed', 5), (1, 'llm_summaries', 'done', 70);"#,
        )
        .unwrap();
    let numbers = Numbers::read(&scrape(&place));
    assert_eq!(numbers.of("tidemill_runs_at_work"), 1.0);
    assert_eq!(numbers.of(r#"tidemill_runs{pipeline="news",state="published"}"#), 1.0);
    assert!(!numbers.0.keys().any(|name| name.contains("abandoned")), "a trial is no run");
    for (state, count) in [("done", 4.0), ("unchanged", 3.0), ("waiting", 2.0), ("parked", 1.0)] {
        let name = format!("tidemill_run_items{{pipeline=\"news\",state=\"{state}\"}}");
        assert_eq!(numbers.of(&name), count);
    }
    let last = r#"tidemill_last_run_timestamp_seconds{pipeline="news",state="running"}"#;
    assert_eq!(numbers.of(last), 5.0);
    assert_eq!(numbers.of(r#"tidemill_last_run_duration_seconds{pipeline="news"}"#), 2.5);
    assert_eq!(numbers.of(r#"tidemill_offload_waiting{pipeline="news"}"#), 2.0);
    assert_eq!(numbers.of(r#"tidemill_offload_waiting{pipeline="new"}"#), 0.0);
    assert_eq!(numbers.of(r#"tidemill_archived_bytes{pipeline="news"}"#), 70.0);
}
