//! Ledgers of every earlier version come to this one with all that they hold.

use super::Ledger;
use super::memory;
use super::runs::{self, RunRow};
use super::{ParkedFilter, ParkedItem, RunState};
use crate::Fingerprint;
use rusqlite::Connection;
use std::path::Path;

/// A ledger as version 1 left it: a finished run with a cursor and observations, and a killed one.
fn version_1(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(include_str!("schema_001.sql")).unwrap();
    connection
        .execute_batch(
            r#"PRAGMA application_id = 0x74696465; PRAGMA user_version = 1;
            INSERT INTO tm_meta VALUES ('mill', 'abc');
            INSERT INTO tm_pipelines VALUES (1, 'news', NULL, '["digests"]');
            INSERT INTO tm_plans VALUES (1, 1, x'01', '[{"name":"feed"},{"name":"extract"}]');
            INSERT INTO tm_runs (run_no, id, pipeline_no, plan_no, source, trigger, scheduled_for, attempt, dt,
                state, source_done, cursor, started_at)
              VALUES (1, 'one', 1, 1, x'02', 'hand', '2026-01-01T06:00:00', 1, '2026-01-01', 'finished', 1, '"c1"', 1000),
                     (2, 'two', 1, 1, x'02', 'hand', '2026-01-02T06:00:00', 1, '2026-01-02', 'running', 0, NULL, 2000);
            INSERT INTO tm_items (run_no, seq, key, item, state, reason) VALUES
              (1, 1, 'done', x'31', 1, NULL), (1, 2, 'waits', x'32', 2, 'model_away'),
              (1, 3, 'parked', x'33', 3, 'no_text'), (1, 4, 'carried', x'34', 5, NULL), (2, 1, 'open', x'35', 0, NULL);
            INSERT INTO tm_observations VALUES (1, 'seen', '{"n":1}', 1001), (1, 'seen too', NULL, 1002);
            INSERT INTO tm_cursors VALUES (1, 'feed', '"c1"');
            INSERT INTO tm_parked VALUES (1, 'parked', 1, 3, 'extract', 'no_text', 'no text', NULL, 1003);
            INSERT INTO tm_calls VALUES (x'07', x'22', 1, 1004, 5);"#,
        )
        .unwrap();
    let content = Fingerprint::of("done");
    connection
        .execute(
            "INSERT INTO tm_memory VALUES (1, 'done', ?1, '{\"n\":2}', 1, 1, 1)",
            [content.as_bytes()],
        )
        .unwrap();
}

#[test]
fn a_ledger_of_version_1_keeps_all_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidemill.db");
    version_1(&path);
    let ledger = Ledger::open(&path, "other").unwrap();
    let count = |sql: &'static str| {
        ledger.read_now(|read| read.one(sql, [], |row| row.get::<_, i64>(0))).unwrap().unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM tm_meta WHERE value = 'abc'"), 1, "the same mill");
    let states: Vec<_> = ledger
        .read_now(|read| RunRow::newest(read, None, 9))
        .unwrap()
        .into_iter()
        .map(|run| (run.id, run.state))
        .collect();
    let expected = [("two", RunState::Interrupted), ("one", RunState::Finished)];
    assert_eq!(states, expected.map(|(id, state)| (id.to_string(), state)));

    let known = ledger.read_now(|read| memory::known(read, 1, "done")).unwrap().unwrap();
    assert_eq!(known.content, Some(Fingerprint::of("done")));
    assert_eq!(known.note, Some(serde_json::json!({ "n": 2 })));
    let two = ledger.read_now(|read| runs::row(read, 2)).unwrap();
    let cursor = ledger.read_now(|read| runs::cursor(read, &two, "feed")).unwrap();
    assert_eq!(cursor.as_deref(), Some("\"c1\""));
    let parked = ledger.read_now(|read| ParkedItem::all(read, &ParkedFilter::default())).unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(count("SELECT count(*) FROM tm_waiting_now WHERE key = 'waits'"), 1);
    assert_eq!(count("SELECT count(*) FROM tm_items WHERE run_no = 1 AND state = 4"), 2);
    assert_eq!(count("SELECT count(*) FROM tm_calls"), 1);
}

#[test]
fn a_migrated_ledger_has_the_shape_of_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    version_1(&old);
    let shape = |path: &Path| {
        let ledger = Ledger::open(path, "mill").unwrap();
        let sql =
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
        ledger.read_now(|read| read.all(sql, [], |row| row.get::<_, String>(0))).unwrap()
    };
    assert_eq!(shape(&old), shape(&new));
    // Opened once more, nothing is done again.
    assert_eq!(shape(&old), shape(&new));
}

#[test]
fn a_ledger_of_a_newer_tidemill_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidemill.db");
    drop(Ledger::open(&path, "mill").unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.execute_batch("DROP VIEW tm_waiting_now").unwrap(); // a newer one may have no such view
    drop(connection);
    assert_eq!(Ledger::open(&path, "mill").unwrap_err().reason(), "ledger_newer");
    let connection = Connection::open(&path).unwrap();
    let left = "SELECT (SELECT user_version FROM pragma_user_version) || ' ' || count(*)
                  FROM sqlite_schema WHERE name = 'tm_waiting_now'";
    let left: String = connection.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, "99 0");
}
