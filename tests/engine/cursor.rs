//! A source's cursor moves with the publish, and within a run it goes on where it was.

use super::bench::Bench;
use super::parts::{Gate, NOTES, Note, Seen, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidemill_pipeline::{
    Context, Emit, Error, Fingerprint, Pipeline, Result, Sent, Source, Step, Yielded,
};

/// Yields the numbers from its cursor to its end, saving the cursor behind each; stops at the gate
/// behind 3.
struct Tail {
    end: u32,
    argument: u32,
    began: Seen,
    gate: Gate,
}

impl Step for Tail {
    fn name(&self) -> &str {
        "tail"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.argument)
    }
}

impl Source for Tail {
    type Item = Note;

    async fn read(&self, out: &Emit<Note>, _cx: &Context) -> Result<()> {
        let begin = out.cursor::<u32>().await?.unwrap_or(0);
        self.began.add(&begin.to_string());
        for number in begin..self.end {
            let key = number.to_string();
            if out.send(Yielded::new(key.clone(), Note::new(&key, "tide"))).await? == Sent::Stop {
                break;
            }
            out.save_cursor(&(number + 1)).await?;
            if number == 3 {
                self.gate.pass().await;
            }
        }
        Ok(())
    }
}

const CURSOR: &str = "SELECT source_name, cursor FROM tm_runs WHERE state IN ('published', 'finished') AND cursor IS NOT NULL ORDER BY run_no DESC LIMIT 1";

struct Tails {
    bench: Bench,
    began: Seen,
    gate: Gate,
    /// Whether the run halts at 3, once the source has saved its cursor behind it.
    halts: Arc<AtomicBool>,
}

impl Tails {
    fn new() -> Self {
        let halts = Arc::new(AtomicBool::new(false));
        Self { bench: Bench::new(), began: Seen::default(), gate: Gate::shut(), halts }
    }

    async fn run(&self, end: u32, argument: u32) -> Result<bool> {
        let (halts, gate) = (self.halts.clone(), self.gate.clone());
        let tail = Tail { end, argument, began: self.began.clone(), gate: gate.clone() };
        let job = Pipeline::named("tail").read(tail).store(table()).map(move |note: Note| {
            let (halts, gate) = (halts.load(SeqCst) && note.key == "3", gate.clone());
            async move {
                if halts {
                    gate.reached().await;
                    return Err(Error::halt("enough"));
                }
                Ok(note)
            }
        });
        self.bench.run(job).await.map(|report| report.resumed)
    }

    fn go_on(&self) {
        self.halts.store(false, SeqCst);
        self.gate.open();
    }
}

#[tokio::test]
async fn a_cursor_moves_with_each_publish() {
    let tails = Tails::new();
    tails.run(2, 0).await.unwrap();
    assert_eq!(tails.bench.rows(CURSOR), ["tail|2"]);
    tails.run(3, 0).await.unwrap();
    assert_eq!(tails.bench.rows(CURSOR), ["tail|3"]);
    assert_eq!(tails.began.sorted(), ["0", "2"]);
    assert_eq!(tails.bench.rows(NOTES), ["0|tide", "1|tide", "2|tide"]);
}

#[tokio::test]
async fn a_halted_run_moves_no_cursor_and_loses_nothing() {
    let tails = Tails::new();
    tails.run(2, 0).await.unwrap();
    tails.halts.store(true, SeqCst);
    tails.run(5, 0).await.unwrap_err();
    assert_eq!(tails.bench.rows(CURSOR), ["tail|2"], "halt moves no cursor");

    tails.go_on();
    assert!(tails.run(6, 0).await.unwrap(), "it goes on");
    assert_eq!(tails.began.sorted(), ["0", "2", "4"], "from where this run had come to");
    assert_eq!(tails.bench.rows(CURSOR), ["tail|6"]);
    let keys = tails.bench.rows("SELECT key FROM notes ORDER BY key");
    assert_eq!(keys, ["0", "1", "2", "3", "4", "5"]);
    let twice = "SELECT key FROM tm_items GROUP BY key HAVING count(*) > 1";
    assert!(tails.bench.rows(twice).is_empty(), "nothing was yielded twice");
}

#[tokio::test]
async fn the_cursor_of_a_run_that_was_given_up_does_not_count() {
    let tails = Tails::new();
    tails.halts.store(true, SeqCst);
    tails.run(5, 0).await.unwrap_err();
    tails.go_on();
    assert!(!tails.run(5, 1).await.unwrap(), "another argument, another run");
    assert_eq!(tails.began.sorted(), ["0", "0"]);
    assert_eq!(tails.bench.rows("SELECT count(*) FROM notes"), ["5"]);
}
