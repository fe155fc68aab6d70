//! Items whose need is away wait; the next run takes them first, with what was remembered.

use super::bench::{Bench, ends};
use super::parts::{NOTES, Notes, Seen, Work, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{Error, Job, Pipeline};

/// A model that is here or away; without it only notes that need none get through.
struct Model {
    early: Seen,
    late: Seen,
    here: Arc<AtomicBool>,
}

impl Model {
    fn away() -> Self {
        let here = Arc::new(AtomicBool::new(false));
        Self { early: Seen::default(), late: Seen::default(), here }
    }

    fn job(&self, source: Notes) -> Job {
        let here = self.here.clone();
        let late = Work::doing("late", &self.late, move |note, _| {
            let here = here.load(SeqCst) || note.text != "needs the model";
            async move {
                if here { Ok(note) } else { Err(Error::wait("it is away").because("model_away")) }
            }
        });
        let early = Work::passing("early", &self.early);
        Job::from(
            Pipeline::named("wait").read(source).then(early).then(late).workers(1).store(table()),
        )
    }
}

const FIRST: [(&str, &str); 2] = [("a", "needs the model"), ("b", "needs none")];

#[tokio::test]
async fn a_run_publishes_the_rest_and_the_next_one_takes_what_waited_first() {
    let (bench, model) = (Bench::new(), Model::away());
    let report = bench.run(model.job(Notes::of(FIRST))).await.unwrap();
    assert_eq!(ends(&report), [1, 0, 1, 0]);
    assert_eq!(report.reasons, [("model_away".to_string(), 1)]);
    assert_eq!(bench.rows(NOTES), ["b|needs none"], "the rest is published");

    model.here.store(true, SeqCst);
    // The source does not yield `a` any more: it has to come from memory.
    let later = Notes::of([("b", "needs none"), ("0", "new")]);
    let report = bench.run(model.job(later)).await.unwrap();
    assert_eq!((report.carried, ends(&report)), (1, [2, 1, 0, 0]));
    assert_eq!(model.early.sorted(), ["0", "a", "b"], "what `a` had behind it was remembered");
    assert_eq!(bench.rows(NOTES), ["0|new", "a|needs the model", "b|needs none"]);
    let order = "SELECT key FROM tm_items WHERE run_no = 2 AND state = 1 ORDER BY seq";
    assert_eq!(bench.rows(order), ["a", "0"], "what waited came first");
}

#[tokio::test]
async fn what_waits_goes_on_waiting_while_its_need_is_away() {
    let (bench, model) = (Bench::new(), Model::away());
    for carried in [0, 1, 1] {
        let report = bench.run(model.job(Notes::of(FIRST))).await.unwrap();
        assert_eq!((report.carried, report.items.waiting), (carried, 1));
    }
    assert_eq!(model.early.sorted(), ["a", "b"]);
    assert_eq!(bench.rows("SELECT count(*) FROM tm_waiting_now"), ["1"], "only once");
}

#[tokio::test]
async fn what_waits_survives_a_run_that_is_given_up() {
    let (bench, model) = (Bench::new(), Model::away());
    bench.run(model.job(Notes::of(FIRST))).await.unwrap();
    let halting = Pipeline::named("wait")
        .read(Notes::of([("c", "halts")]).argument(1))
        .map(|note| async move { if false { Ok(note) } else { Err(Error::halt("enough")) } })
        .store(table());
    bench.run(halting).await.unwrap_err();

    model.here.store(true, SeqCst);
    let report = bench.run(model.job(Notes::of([]).argument(2))).await.unwrap();
    assert_eq!((report.resumed, report.carried), (false, 1));
    assert_eq!(bench.rows(NOTES), ["a|needs the model", "b|needs none"]);
}
