//! What a run needed goes when it no longer needs it; what people may still want stays.

use super::bench::Bench;
use super::parts::{LineFile, Note, Notes, Seen, Work, table};
use tidemill_pipeline::{Error, Fingerprint, Job, Pipeline};

fn job(text: &'static str) -> Job {
    let source = Notes::of([("a", text), ("b", "same"), ("parked", text), ("waiting", "same")]);
    let work = Work::doing("work", &Seen::default(), |note: Note, cx| async move {
        cx.remember(Fingerprint::of(&(&note.key, &note.text)), async { Ok(1) }).await?;
        match note.key.as_str() {
            "parked" => Err(Error::park("no good").because("no_good")),
            "waiting" => Err(Error::wait("not now")),
            _ => Ok(note),
        }
    });
    let first = Work::passing("first", &Seen::default());
    Job::from(
        Pipeline::named("tidy").read(source).then(first).then(work).save(LineFile).store(table()),
    )
}

fn count(bench: &Bench, sql: &str) -> i64 {
    bench.rows(&format!("SELECT count(*) FROM {sql}"))[0].parse().unwrap()
}

#[tokio::test]
async fn run_memory_goes_with_the_publish_but_for_what_waits_or_is_parked() {
    let bench = Bench::new();
    bench.run(job("1")).await.unwrap();
    for table in ["tm_spool", "tm_staged_notes"] {
        assert_eq!(count(&bench, table), 0, "{table}");
    }
    let kept = "SELECT i.key FROM tm_steps s JOIN tm_items i USING (run_no, seq) ORDER BY i.key";
    assert_eq!(bench.rows(kept), ["parked", "waiting"]);
    assert_eq!(count(&bench, "tm_calls"), 4, "answers that were paid for stay");
}

#[tokio::test]
async fn items_of_old_runs_go_and_memory_keeps_what_counts() {
    let bench = Bench::new();
    let texts = ["1", "2", "3", "4", "5", "6"];
    for text in texts {
        bench.run(job(text)).await.unwrap();
    }
    let old = count(&bench, "tm_items WHERE run_no <= 3 AND state NOT IN (2, 3)");
    assert_eq!(old, 0, "items of runs that cannot be taken back any more");
    assert!(count(&bench, "tm_items WHERE run_no > 3") > 0);
    assert_eq!(count(&bench, "tm_undo_notes WHERE tm_run <= 3"), 0);
    assert!(count(&bench, "tm_undo_notes") > 0);
    // One version of each key that counts, and those that a rollback needs.
    assert_eq!(count(&bench, "tm_memory WHERE key = 'a'"), 3 + 1);
    assert_eq!(count(&bench, "tm_memory WHERE key = 'b'"), 1);
    assert_eq!(bench.parked().len(), 1, "the list is not swept");
    assert_eq!(count(&bench, "tm_waiting_now"), 1);
    assert!(count(&bench, "tm_items WHERE key = 'waiting'") <= 4 + 1, "taken over, then swept");
}

#[tokio::test]
async fn a_cap_on_call_memory_lets_the_oldest_answers_go() {
    let bench = Bench::with_calls(10 * 24 * 3600, u64::MAX);
    for text in ["1", "2", "3"] {
        bench.run(job(text)).await.unwrap();
        bench.turn_clock(chrono::TimeDelta::days(5));
    }
    // The first run's answers are older than ten days, those that it asked for only once too.
    let runs = "SELECT DISTINCT run_no FROM tm_calls ORDER BY run_no";
    assert_eq!(bench.rows(runs), ["2", "3"]);

    let bench = Bench::with_calls(u64::MAX / 2000, 0);
    bench.run(job("1")).await.unwrap();
    bench.run(job("2")).await.unwrap();
    assert_eq!(count(&bench, "tm_calls"), 0, "no room: but no call is repeated within its run");
}
