//! The suite for stages.

use super::breach::{breach, lost_in_json, through_json};
use super::given::{Given, cut, too_few, was_cut};
use super::rig::Rig;
use super::step;
use super::watched::{Log, Watched};
use crate::{Error, Item, Pipeline, Result, Stage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// Checks that a stage keeps what the engine relies on.
///
/// | rule | what is wrong when it is the reason |
/// |---|---|
/// | `name_unusable` | the name is no 1 to 64 letters, digits, `-` or `_` |
/// | `name_changes`, `version_changes`, `fingerprint_changes` | asked twice, or of two instances made alike, it says two things |
/// | `input_changes` | [`Stage::input`] of the same input is another each time |
/// | `input_changes_in_json` | [`Stage::input`] is another when the input comes back from the ledger: a resumed run works again |
/// | `input_too_narrow` | two inputs with the same [`Stage::input`] have different answers: one would get the other's |
/// | `input_fails` | the stage does not get through with one of the inputs |
/// | `output_changes_in_json` | an answer is another one when it comes back from the ledger |
/// | `answer_changes` | the same input has another answer the second time (see [`varies`](StageSuite::varies)) |
/// | `works_again` | a halted and resumed run works again on what it remembers |
/// | `too_few` | there is no input, and the suite cannot fail |
#[derive(Debug)]
pub struct StageSuite<F, In> {
    make: F,
    inputs: Vec<In>,
    varies: bool,
}

impl<In: Item, S: Stage<In>, F: Fn() -> S> StageSuite<F, In> {
    /// For the stage that `make` makes, on inputs with which it gets through.
    ///
    /// Each run gets a stage of its own, as a program does that is started again.
    pub fn of(make: F, inputs: impl IntoIterator<Item = In>) -> Self {
        Self { make, inputs: inputs.into_iter().collect(), varies: false }
    }

    /// Says that answers to the same input may differ: they tell the time, or a model makes them
    /// that is not asked through [`Context::remember`](crate::Context::remember).
    #[must_use]
    pub fn varies(mut self) -> Self {
        self.varies = true;
        self
    }

    /// Goes through all rules. What the inputs need (bodies of pages, say) must be in this rig.
    ///
    /// # Errors
    /// With the rule's name as reason when one is broken; with the error of the run when the stage
    /// cannot be prepared or finished.
    pub async fn check(&self, rig: &Rig) -> Result<()> {
        step::same_each_time(&self.make)?;
        if self.inputs.is_empty() {
            return Err(too_few("inputs", 1, 0));
        }
        self.inputs_keep_their_fingerprints()?;
        let answers = self.answers(rig).await?;
        for answer in &answers {
            if let Some(how) = lost_in_json(answer) {
                let cure =
                    "let its JSON text hold all of it: the next step of a resumed run sees that";
                return Err(breach("output_changes_in_json", format!("an answer {how}"), cure));
            }
        }
        if !self.varies {
            self.same_inputs_have_same_answers(&answers)?;
            self.the_second_time_is_as_the_first(rig, &answers).await?;
        }
        self.a_resumed_run_remembers(rig).await
    }

    fn inputs_keep_their_fingerprints(&self) -> Result<()> {
        let (one, other) = ((self.make)(), (self.make)());
        for (number, input) in self.inputs.iter().enumerate() {
            let print = one.input(input);
            if print != one.input(input) || print != other.input(input) {
                let seen = format!("`input` of input {number} is another each time");
                let cure = "make it of the input only: no counters, no times, no addresses";
                return Err(breach("input_changes", seen, cure));
            }
            let back = through_json(input).map(|back| one.input(&back));
            if !back.is_ok_and(|back| back == print) {
                let seen = format!("`input` of input {number} is another one behind its JSON text");
                let cure = "make it of what the JSON text holds: a resumed run has nothing else";
                return Err(breach("input_changes_in_json", seen, cure));
            }
        }
        Ok(())
    }

    /// The answers to all inputs, in their order, by a run of a pipeline that remembers nothing.
    async fn answers(&self, rig: &Rig) -> Result<Vec<S::Out>> {
        let log = Log::new();
        let given = Given::many(self.inputs.len(), rig.number());
        let report = rig.run(Pipeline::named(rig.fresh()).read(given).then(self.watched(&log)));
        let report = report.await.map_err(as_input_failure)?;
        if report.items.done != self.inputs.len() as u64 {
            let first = log
                .noted()
                .tries
                .iter()
                .find_map(|(_, result)| result.as_ref().err().map(Error::told_again));
            let error = match first {
                Some(error) => error,
                None => rig.parked(&report)?,
            };
            return Err(as_input_failure(error));
        }
        let mut tries = std::mem::take(&mut log.noted().tries);
        tries.sort_by_key(|(number, _)| *number);
        Ok(tries.into_iter().filter_map(|(_, result)| result.ok()).collect())
    }

    fn watched(&self, log: &Log<S::Out>) -> Watched<S, In, S::Out> {
        Watched { stage: (self.make)(), inputs: self.inputs.clone(), log: log.clone() }
    }

    fn same_inputs_have_same_answers(&self, answers: &[S::Out]) -> Result<()> {
        let stage = (self.make)();
        let all: Vec<_> = self.inputs.iter().map(|input| stage.input(input)).zip(answers).collect();
        for (number, (print, answer)) in all.iter().enumerate() {
            let twin = all.iter().skip(number + 1).find(|(other, _)| other == print);
            let Some((_, other)) = twin else { continue };
            if serde_json::to_value(answer)? != serde_json::to_value(other)? {
                let seen = format!("input {number} has a twin by `input`, with another answer");
                let cure = "put everything into `input` that the answer depends on";
                return Err(breach("input_too_narrow", seen, cure));
            }
        }
        Ok(())
    }

    async fn the_second_time_is_as_the_first(&self, rig: &Rig, answers: &[S::Out]) -> Result<()> {
        let again = self.answers(rig).await?;
        for (number, (first, second)) in answers.iter().zip(&again).enumerate() {
            let (first, second) = (serde_json::to_value(first)?, serde_json::to_value(second)?);
            if first != second {
                let seen = format!("input {number} has the answer {first}, then {second}");
                let cure = "let it depend on the input only, or tell the suite that it `varies()`";
                return Err(breach("answer_changes", seen, cure));
            }
        }
        Ok(())
    }

    /// Halts a run behind the stage when everything is remembered, and goes on with it.
    async fn a_resumed_run_remembers(&self, rig: &Rig) -> Result<()> {
        let (name, argument) = (rig.fresh(), rig.number());
        let halts = Arc::new(AtomicBool::new(true));
        let job = |log: &Log<S::Out>| {
            let given = Given::many(self.inputs.len(), argument);
            let (halts, left) = (Arc::clone(&halts), AtomicUsize::new(self.inputs.len()));
            let watched = Pipeline::named(&name).read(given).then(self.watched(log)).workers(1);
            watched.map(move |answer: S::Out| {
                let last = left.fetch_sub(1, SeqCst) == 1;
                let halts = last && halts.load(SeqCst);
                async move { if halts { Err(cut()) } else { Ok(answer) } }
            })
        };
        let halted = rig.run(job(&Log::new())).await;
        if !was_cut(&halted) {
            halted?;
        }
        halts.store(false, SeqCst);
        let log = Log::new();
        rig.run(job(&log)).await?;
        let worked = log.noted().tries.len();
        if worked == 0 {
            return Ok(());
        }
        let seen = format!("a resumed run works again on {worked} remembered items");
        let cure =
            "let `prepare` and `input` be the same as before: by them an answer is found again";
        Err(breach("works_again", seen, cure))
    }
}

fn as_input_failure(error: Error) -> Error {
    let seen = format!("the stage does not get through: [{}] {}", error.reason(), error.message());
    breach("input_fails", seen, "give the suite inputs that the stage takes, with what they need")
}
