//! Stopping: draining finishes what is in hand, aborting waits for nothing, and a run that is
//! dropped leaves nothing behind that still works.

use super::bench::{Bench, soon};
use super::parts::{Gate, NOTES, Note, Notes, Seen, Work, table};
use tidemill_pipeline::run::Stop;
use tidemill_pipeline::{
    Context, Emit, Fingerprint, Job, Pipeline, Result, Sent, Source, Step, Yielded,
};

#[tokio::test]
async fn draining_remembers_what_is_in_hand_before_the_run_returns() {
    let (bench, seen, stop) = (Bench::new(), Seen::default(), Stop::default());
    let own = stop.clone();
    let job = Job::from(
        Pipeline::named("drain")
            .read(Notes::of([("a", "ebb")]))
            .then(Work::doing("slow", &seen, move |note, cx| {
                let stop = own.clone();
                async move {
                    stop.drain();
                    // Work that takes longer than the engine needs to stop.
                    for _ in 0..20 {
                        cx.ledger().flush().await?;
                    }
                    Ok(note)
                }
            }))
            .store(table()),
    );
    let error = soon(bench.start(job.clone(), &stop)).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), "interrupted", "{error:?}");
    assert_eq!(bench.rows("SELECT count(*) FROM tm_steps"), ["1"], "a was in hand");
    assert!(bench.rows(NOTES).is_empty());

    assert!(bench.run(job).await.unwrap().resumed);
    assert_eq!(seen.count(), 1, "what was in hand is not worked on again");
    assert_eq!(bench.rows(NOTES), ["a|ebb"]);
}

#[tokio::test]
async fn aborting_does_not_wait_for_a_step_that_works_one_by_one() {
    let (bench, gate, stop) = (Bench::new(), Gate::shut(), Stop::default());
    let at = gate.clone();
    let stuck = Work::doing("stuck", &Seen::default(), move |note, _| {
        let gate = at.clone();
        async move {
            gate.pass().await;
            Ok(note)
        }
    });
    let job = Pipeline::named("stuck").read(Notes::of([("a", "ebb")])).then(stuck).workers(1);
    let run = bench.start(job, &stop);
    gate.reached().await;
    stop.abort();
    assert_eq!(soon(run).await.unwrap().unwrap_err().reason(), "interrupted");
}

/// Yields a, waits at the gate, then yields b; tells when it is given up.
struct Slow(Gate, Seen);

impl Step for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for Slow {
    type Item = Note;

    async fn read(&self, out: &Emit<Note>, _cx: &Context) -> Result<()> {
        for key in ["a", "b"] {
            let sent = out.send(Yielded::new(key, Note::new(key, "tide"))).await?;
            self.1.add(&format!("{key} {}", sent == Sent::Yes || sent == Sent::Again));
            self.0.pass().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_dropped_run_reads_nothing_more() {
    let (bench, gate, said) = (Bench::new(), Gate::shut(), Seen::default());
    let job =
        || Job::from(Pipeline::named("slow").read(Slow(gate.clone(), said.clone())).store(table()));
    let run = bench.start(job(), &Stop::default());
    gate.reached().await;
    run.abort();
    assert!(soon(run).await.unwrap_err().is_cancelled());

    // Were the first source still at work it would yield b as well, in the place of the second's.
    let second = bench.start(job(), &Stop::default());
    gate.reached().await;
    gate.open();
    assert!(soon(second).await.unwrap().unwrap().resumed);
    assert_eq!(bench.rows(NOTES), ["a|tide", "b|tide"]);
    assert_eq!(said.sorted(), ["a true", "a true", "b true"]);
}
