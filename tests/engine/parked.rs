//! Items that fail are set aside with their reason, and leave the list when they get through.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Note, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Pipeline, Result, Source, Step, Yielded,
};

#[tokio::test]
async fn a_question_mark_in_a_map_parks_at_once_and_the_others_go_on() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let tried = seen.clone();
    let source = Notes::of([("a", "7"), ("b", "seven")]);
    let job = Pipeline::named("count").read(source).map(move |note: Note| {
        let tried = tried.clone();
        async move {
            tried.add(&note.key);
            note.text.parse::<u32>()?;
            Ok(note)
        }
    });
    let report = bench.run(job.store(table())).await.unwrap();
    assert_eq!(ends(&report), [1, 0, 0, 1]);
    assert_eq!(seen.sorted(), ["a", "b"], "a map is tried once");
    assert_eq!(bench.rows(NOTES), ["a|7"]);
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.pipeline.as_str(), parked.key.as_str()), ("count", "b"));
    assert_eq!((parked.run, parked.reason.as_str()), (report.run, "failed"));
    assert!(parked.message.contains("invalid digit"), "{}", parked.message);
}

#[tokio::test]
async fn a_stage_is_tried_three_times_and_its_reason_is_kept() {
    let (bench, seen) = (Bench::new(), Seen::default());
    let stumble = Work::doing("stumble", &seen, |note, cx| async move {
        match (note.key.as_str(), cx.attempt()) {
            ("third", 3) => Ok(note),
            _ => Err(Error::retry("no answer").because("no_answer").help("ask again later")),
        }
    });
    let source = Notes::of([("never", "x"), ("third", "y")]);
    let job = Pipeline::named("retry").read(source).then(stumble).store(table());
    let report = bench.run(job).await.unwrap();
    assert_eq!(ends(&report), [1, 0, 0, 1]);
    assert_eq!(seen.sorted(), ["never", "never", "never", "third", "third", "third"]);
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.key.as_str(), parked.stage.as_str()), ("never", "stumble"));
    assert_eq!(
        (parked.reason.as_str(), parked.help.as_deref()),
        ("no_answer", Some("ask again later"))
    );
    assert_eq!(report.reasons, [("no_answer".to_string(), 1)]);
}

#[tokio::test]
async fn a_later_success_takes_an_item_off_the_list() {
    let (bench, tries) = (Bench::new(), Arc::new(AtomicU32::new(0)));
    let job = || {
        let tries = tries.clone();
        let source = Notes::of([("a", "ebb")]).without_content();
        let mapped = Pipeline::named("later").read(source).map(move |note: Note| {
            let first = tries.fetch_add(1, SeqCst) == 0;
            async move { if first { Err(Error::park("not yet")) } else { Ok(note) } }
        });
        mapped.store(table())
    };
    bench.run(job()).await.unwrap();
    assert_eq!(bench.parked().len(), 1);
    bench.run(job()).await.unwrap();
    assert!(bench.parked().is_empty());
    assert_eq!(bench.rows(NOTES), ["a|ebb"]);
}

#[tokio::test]
async fn a_panic_parks_its_item_only() {
    let bench = Bench::new();
    let panicking = Work::doing("brittle", &Seen::default(), |note, _| async move {
        assert!(note.key != "a", "the wheel broke");
        Ok(note)
    });
    let source = Notes::of([("a", "ebb"), ("b", "flow"), ("c", "slack")]);
    let job = Pipeline::named("panic").read(source).then(panicking).map(|note: Note| {
        assert!(note.key != "b", "the sluice jammed");
        async move { Ok(note) }
    });
    let report = bench.run(job.store(table())).await.unwrap();
    assert_eq!(ends(&report), [1, 0, 0, 2]);
    assert_eq!(bench.rows(NOTES), ["c|slack"]);
    let mut parked = bench.parked();
    parked.sort_by(|one, other| one.key.cmp(&other.key));
    let reasons: Vec<_> = parked.iter().map(|p| (p.key.as_str(), p.reason.as_str())).collect();
    assert_eq!(reasons, [("a", "panicked"), ("b", "panicked")]);
    assert!(parked[0].message.contains("the wheel broke"), "{}", parked[0].message);
    assert!(parked[1].message.contains("the sluice jammed"), "{}", parked[1].message);
}

/// Yields one note, and parks what it cannot read.
struct HalfReadable;

impl Step for HalfReadable {
    fn name(&self) -> &str {
        "half"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for HalfReadable {
    type Item = Note;

    async fn read(&self, out: &Emit<Note>, _cx: &Context) -> Result<()> {
        out.park_with("bad", Error::park("no feed").because("not_a_feed"), |_| Ok(())).await?;
        out.send(Yielded::new("a", Note::new("a", "ebb"))).await?;
        Ok(())
    }
}

#[tokio::test]
async fn what_a_source_could_not_read_is_listed_once_also_after_a_halt() {
    let (bench, halts) = (Bench::new(), Arc::new(AtomicBool::new(true)));
    let run = || {
        let halts = halts.clone();
        let mapped = Pipeline::named("half").read(HalfReadable).map(move |note: Note| {
            let halts = halts.load(SeqCst);
            async move { if halts { Err(Error::halt("enough")) } else { Ok(note) } }
        });
        bench.run(mapped.store(table()))
    };
    run().await.unwrap_err();
    halts.store(false, SeqCst);
    let report = run().await.unwrap();
    assert!(report.resumed);
    assert_eq!(bench.rows(NOTES), ["a|ebb"]);
    let [parked] = bench.parked().try_into().unwrap();
    assert_eq!((parked.key.as_str(), parked.reason.as_str()), ("bad", "not_a_feed"));
    assert_eq!(parked.stage, "read half");
    assert_eq!(bench.rows("SELECT count(*) FROM tm_items WHERE key = 'bad'"), ["1"]);
}
