//! What a publish replaced is kept however the sink replaces it, and swept no sooner than it may be.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use serde::{Deserialize, Serialize};
use tidemill_pipeline::ledger::{Read, Tx, params};
use tidemill_pipeline::serve::Order;
use tidemill_pipeline::sink::{Origin, Write};
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, LedgerSink, Pipeline, Result, Source, Step, Yielded,
};
use tidemill_stages::sqlite::Table;

async fn back(bench: &Bench, run: &str) -> Result<serde_json::Value> {
    bench.home().carry_out(Order::Rollback { run: run.into() }).await
}

/// A sink of someone else's, which publishes by this statement.
struct Own(&'static str);

const REPLACE: &str = "INSERT OR REPLACE INTO own SELECT k, v, ?2 FROM tm_staged_own WHERE tm_run = ?1 ORDER BY tm_seq";
const UPSERT: &str =
    "INSERT INTO own SELECT k, v, ?2 FROM tm_staged_own WHERE tm_run = ?1 ORDER BY tm_seq
     ON CONFLICT (k) DO UPDATE SET v = excluded.v, _run = excluded._run";

impl Step for Own {
    fn name(&self) -> &str {
        "own"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        let sql = "CREATE TABLE IF NOT EXISTS own (k TEXT PRIMARY KEY, v TEXT, _run TEXT NOT NULL) STRICT;
            CREATE TABLE IF NOT EXISTS tm_staged_own (tm_run INTEGER, tm_seq INTEGER, k TEXT, v TEXT,
              PRIMARY KEY (tm_run, tm_seq)) STRICT, WITHOUT ROWID";
        cx.ledger().transaction(move |tx| tx.batch(sql)).await?;
        Ok(self.fingerprint())
    }
}

impl LedgerSink<Note> for Own {
    fn check(&self, _read: &Read<'_>) -> Result<()> {
        Ok(())
    }

    fn stage(&self, note: &Note, origin: Origin) -> Result<Write> {
        let (note, sql) = (note.clone(), "INSERT INTO tm_staged_own VALUES (?1, ?2, ?3, ?4)");
        Ok(Box::new(move |tx| {
            tx.execute(sql, params![origin.run_no, origin.seq, note.key, note.text]).map(|_| ())
        }))
    }

    fn publish(&self, tx: &Tx<'_>, origin: &Origin) -> Result<u64> {
        tx.keeping_replaced("own", origin.run_no, |tx| {
            Ok(tx.execute(self.0, params![origin.run_no, origin.run])? as u64)
        })
    }

    fn table(&self) -> &str {
        "own"
    }
}

#[tokio::test]
async fn rows_replaced_by_another_sinks_statement_come_back() {
    for statement in [REPLACE, UPSERT] {
        let bench = Bench::new();
        let run = |notes: Vec<(&'static str, &'static str)>| {
            bench.run(Pipeline::named("own").read(Notes::of(notes)).store(Own(statement)))
        };
        run(vec![("a", "1"), ("z", "1")]).await.unwrap();
        // The same key twice in one run: the row before the first is the former one.
        let second = run(vec![("a", "2"), ("a", "3"), ("b", "2")]).await.unwrap();
        assert_eq!(bench.rows("SELECT k, v FROM own ORDER BY k"), ["a|3", "b|2", "z|1"]);
        back(&bench, &second.run).await.unwrap();
        assert_eq!(bench.rows("SELECT k, v FROM own ORDER BY k"), ["a|1", "z|1"], "{statement}");
    }
}

/// A row with a column that the ledger uses too.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Race {
    key: String,
    run_no: u32,
}

#[tokio::test]
async fn a_users_column_named_run_no_is_no_run_of_ours() {
    let bench = Bench::new();
    let races = || Table::named("races").keyed_by::<Race>("key");
    for n in 1..=5_u32 {
        let text = n.to_string();
        let job = Pipeline::named("races").read(Notes::of([("a", text.as_str())]));
        let job =
            job.map(move |note: Note| async move { Ok(Race { key: note.key, run_no: n % 2 + 1 }) });
        bench.run(job.store(races())).await.unwrap();
    }
    assert_eq!(bench.rows("SELECT tm_run FROM tm_undo_races ORDER BY tm_run"), ["3", "4", "5"]);
}

#[tokio::test]
async fn what_later_runs_found_unchanged_because_of_it_is_new_again() {
    // The second run does the same row once more, and so remembers the key itself.
    let bench = Bench::new();
    let run = |text: &'static str| {
        let job = Pipeline::named("same").read(Notes::of([("a", text)]));
        bench.run(
            job.map(|note: Note| async move { Ok(Note::new(&note.key, "same")) }).store(table()),
        )
    };
    let first = run("1").await.unwrap();
    run("2").await.unwrap();
    back(&bench, &first.run).await.unwrap();
    assert!(bench.rows(NOTES).is_empty());
    assert_eq!(ends(&run("2").await.unwrap()), [1, 0, 0, 0]);
    assert_eq!(bench.rows(NOTES), ["a|same"]);
}

/// Counts to three once, and saves where it stands in every run.
struct Counting;

impl Step for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for Counting {
    type Item = Note;

    async fn read(&self, out: &Emit<Note>, _cx: &Context) -> Result<()> {
        for n in out.cursor::<u32>().await?.unwrap_or(0)..3 {
            let key = n.to_string();
            out.send(Yielded::new(key.clone(), Note::new(&key, "tide"))).await?;
        }
        out.save_cursor(&3).await
    }
}

#[tokio::test]
async fn a_run_behind_which_the_source_stands_is_refused() {
    let bench = Bench::new();
    let run = || bench.run(Pipeline::named("count").read(Counting).store(table()));
    let (first, second) = (run().await.unwrap(), run().await.unwrap());
    assert_eq!(ends(&second), [0, 0, 0, 0]);
    assert_eq!(back(&bench, &first.run).await.unwrap_err().reason(), "touched_since");
    back(&bench, &second.run).await.unwrap();
    back(&bench, &first.run).await.unwrap();
    assert_eq!(ends(&run().await.unwrap()), [3, 0, 0, 0], "all of it comes again");
}

#[tokio::test]
async fn what_a_later_run_has_done_does_not_wait_again() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let run = |away: bool, notes: Vec<(&'static str, &'static str)>| {
        let model = Work::doing("model", &seen, move |note: Note, _| async move {
            if away && note.key == "a" { Err(Error::wait("away")) } else { Ok(note) }
        });
        bench.run(Pipeline::named("wait").read(Notes::of(notes)).then(model).store(table()))
    };
    run(true, vec![("a", "old")]).await.unwrap();
    let second = run(true, vec![("b", "1")]).await.unwrap();
    run(false, vec![("a", "new")]).await.unwrap();
    back(&bench, &second.run).await.unwrap();
    assert_eq!(bench.rows("SELECT count(*) FROM tm_waiting_now"), ["0"]);
    run(false, vec![("b", "1")]).await.unwrap();
    assert_eq!(bench.rows(NOTES), ["a|new", "b|1"], "nothing old came over it");
}

#[tokio::test]
async fn what_was_parked_before_is_listed_again() {
    let bench = Bench::new();
    let run = |notes: Vec<(&'static str, &'static str)>| {
        let job = Pipeline::named("park").read(Notes::of(notes)).map(|note: Note| async move {
            if note.text == "bad" { Err(Error::park("bad")) } else { Ok(note) }
        });
        bench.run(job.store(table()))
    };
    run(vec![("a", "bad")]).await.unwrap();
    for text in ["1", "2", "3", "4"] {
        run(vec![("b", text)]).await.unwrap();
    }
    let last = run(vec![("a", "good")]).await.unwrap();
    assert!(bench.parked().is_empty());
    back(&bench, &last.run).await.unwrap();
    assert_eq!(bench.parked().len(), 1);
}
