//! Items that a step makes: recorded like those of a source, resumed where they entered.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{Error, Job, Pipeline, Result};

async fn words(note: Note) -> Result<Vec<Note>> {
    let words = note.text.split(' ').filter(|word| !word.is_empty()).enumerate();
    Ok(words.map(|(n, word)| Note::new(&format!("{}{n}", note.key), word)).collect())
}

async fn joined(notes: Vec<Note>) -> Result<Note> {
    let texts: Vec<_> = notes.iter().map(|note| note.text.as_str()).collect();
    Ok(Note::new(&notes[0].key, &texts.join(" ")))
}

const ITEMS: &str = "SELECT key, state, entry FROM tm_items ORDER BY entry, key";

#[tokio::test]
async fn flatten_lets_each_part_go_on_and_the_whole_is_unchanged_next_time() {
    let bench = Bench::new();
    let source = || Notes::of([("a", "ebb flow"), ("b", ""), ("c", "slack")]);
    let job = || Pipeline::named("flat").read(source()).map(words).flatten().store(table());
    let report = bench.run(job()).await.unwrap();
    assert_eq!(ends(&report), [4, 0, 0, 0], "three words, and one note without any");
    assert_eq!(bench.rows(NOTES), ["a0|ebb", "a1|flow", "c0|slack"]);
    assert_eq!(bench.rows(ITEMS), ["a|6|0", "b|1|0", "c|6|0", "a#1|1|2", "a#2|1|2", "c#1|1|2"]);
    assert_eq!(ends(&bench.run(job()).await.unwrap()), [0, 3, 0, 0]);
}

#[tokio::test]
async fn chunks_make_lists_of_n_and_a_shorter_one_at_the_end() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let source = Notes::of([("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")]);
    let job = Pipeline::named("chunk").read(source).chunks(2).map(joined);
    let job = job.then(Work::passing("work", &seen)).store(table());
    assert_eq!(ends(&bench.run(job).await.unwrap()), [3, 0, 0, 0]);
    assert_eq!(bench.rows(NOTES), ["a|1 2", "c|3 4", "e|5"]);
    assert_eq!(
        bench.rows("SELECT key FROM tm_items WHERE entry > 0 ORDER BY seq"),
        ["a+1", "c+1", "e+0"]
    );
}

/// Reads three notes, splits them into words, and halts at one word until it is told not to.
struct Halting {
    before: Seen,
    behind: Seen,
    halts: Arc<AtomicBool>,
}

impl Halting {
    fn job(&self, size: usize) -> Job {
        let source = Notes::of([("a", "1 2 3"), ("b", "4 5 6"), ("c", "7 8 9")]);
        let halts = Arc::clone(&self.halts);
        let behind = Work::doing("behind", &self.behind, move |note, _| {
            let halts = halts.load(SeqCst) && note.text.contains('5');
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        });
        let split = Pipeline::named("entries")
            .read(source)
            .then(Work::passing("before", &self.before))
            .workers(1)
            .map(words)
            .flatten();
        Job::from(split.chunks(size).map(joined).then(behind).workers(1).store(table()))
    }
}

#[tokio::test]
async fn a_resumed_run_goes_on_with_the_parts_and_lists_that_it_had() {
    let (bench, unbroken) = (Bench::new(), Bench::new());
    let whole = Halting { before: Seen::default(), behind: Seen::default(), halts: Arc::default() };
    unbroken.run(whole.job(2)).await.unwrap();

    let broken = Halting {
        before: Seen::default(),
        behind: Seen::default(),
        halts: Arc::new(AtomicBool::new(true)),
    };
    bench.run(broken.job(2)).await.unwrap_err();
    broken.halts.store(false, SeqCst);
    let report = bench.run(broken.job(2)).await.unwrap();
    assert!(report.resumed);
    assert_eq!(bench.rows(NOTES), unbroken.rows(NOTES), "the same words in the same lists");
    assert_eq!(broken.before.sorted(), ["a", "b", "c"], "what was split is not split again");
    let lists = "SELECT count(*) FROM tm_items WHERE entry = 4";
    assert_eq!(bench.rows(lists), unbroken.rows(lists), "no list is made twice");
}

#[tokio::test]
async fn another_step_in_a_resumed_run_makes_parts_and_lists_again() {
    let bench = Bench::new();
    let broken = Halting {
        before: Seen::default(),
        behind: Seen::default(),
        halts: Arc::new(AtomicBool::new(true)),
    };
    bench.run(broken.job(2)).await.unwrap_err();
    broken.halts.store(false, SeqCst);
    let more = |job: &Halting| {
        let source = Notes::of([("a", "1 2 3"), ("b", "4 5 6"), ("c", "7 8 9")]);
        let split =
            Pipeline::named("entries").read(source).then(Work::passing("before", &job.before));
        split
            .workers(1)
            .then(Work::passing("new", &Seen::default()))
            .map(words)
            .flatten()
            .store(table())
    };
    let report = bench.run(more(&broken)).await.unwrap();
    assert!(report.resumed);
    assert_eq!(ends(&report), [9, 0, 0, 0]);
    assert_eq!(bench.rows("SELECT count(*) FROM notes"), ["9"]);
}

#[tokio::test]
async fn a_part_that_fails_is_parked_alone() {
    let bench = Bench::new();
    let source = Notes::of([("a", "1 x 3")]);
    let job =
        Pipeline::named("part").read(source).map(words).flatten().map(|note: Note| async move {
            note.text.parse::<u32>()?;
            Ok(note)
        });
    let report = bench.run(job.store(table())).await.unwrap();
    assert_eq!(ends(&report), [2, 0, 0, 1]);
    assert_eq!(bench.parked()[0].key, "a#2");
}
