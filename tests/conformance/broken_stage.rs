//! Millstones that grind well, or break one rule of stages.

use super::{all_are_broken, names};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tidemill_pipeline::testing::{Rig, StageSuite};
use tidemill_pipeline::{Context, Error, Fingerprint, Result, Stage, Step};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    OddName,
    OtherName,
    OtherVersion,
    OtherFingerprint,
    InputOfTheTime,
    InputNotKept,
    InputHalfLooked,
    ParksOne,
    PanicsAtOne,
    LosesInJson,
    AnswerOfTheTime,
    OtherModel,
    NoInputs,
}

const BROKEN: [(Fault, &str); 13] = [
    (Fault::OddName, "name_unusable"),
    (Fault::OtherName, "name_changes"),
    (Fault::OtherVersion, "version_changes"),
    (Fault::OtherFingerprint, "fingerprint_changes"),
    (Fault::InputOfTheTime, "input_changes"),
    (Fault::InputNotKept, "input_changes_in_json"),
    (Fault::InputHalfLooked, "input_too_narrow"),
    (Fault::ParksOne, "input_fails"),
    (Fault::PanicsAtOne, "input_fails"),
    (Fault::LosesInJson, "output_changes_in_json"),
    (Fault::AnswerOfTheTime, "answer_changes"),
    (Fault::OtherModel, "works_again"),
    (Fault::NoInputs, "too_few"),
];

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Grain {
    kind: String,
    grams: u32,
    #[serde(skip)]
    husk: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flour {
    kind: String,
    grams: u32,
    #[serde(skip_deserializing)]
    dust: u32,
}

struct Stones {
    fault: Fault,
    made: u32,
}

impl Stones {
    fn with(fault: Fault) -> impl Fn() -> Self {
        let made = AtomicU32::new(0);
        move || Self { fault, made: made.fetch_add(1, SeqCst) }
    }

    /// The instance's number, for the one fault that lets it show.
    fn time(&self, fault: Fault) -> u32 {
        if self.fault == fault { self.made } else { 0 }
    }
}

impl Step for Stones {
    fn name(&self) -> &str {
        match self.fault {
            Fault::OddName => "",
            Fault::OtherName if self.made > 0 => "rollers",
            _ => "stones",
        }
    }

    fn version(&self) -> u32 {
        self.time(Fault::OtherVersion)
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.time(Fault::OtherFingerprint))
    }

    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        Ok(Fingerprint::of(&self.time(Fault::OtherModel)))
    }
}

impl Stage<Grain> for Stones {
    type Out = Flour;

    async fn run(&self, grain: Grain, _cx: &Context) -> Result<Flour> {
        match self.fault {
            Fault::ParksOne if grain.grams == 2 => return Err(Error::park("too hard")),
            Fault::PanicsAtOne => assert!(grain.grams != 2, "a stone broke"),
            _ => {}
        }
        let dust = u32::from(self.fault == Fault::LosesInJson);
        let grams = grain.grams + self.time(Fault::AnswerOfTheTime);
        Ok(Flour { kind: grain.kind, grams, dust })
    }

    fn input(&self, grain: &Grain) -> Fingerprint {
        match self.fault {
            Fault::InputOfTheTime => Fingerprint::of(&self.made),
            Fault::InputNotKept => Fingerprint::of(&grain.husk),
            Fault::InputHalfLooked => Fingerprint::of(&grain.kind),
            _ => Fingerprint::of(grain),
        }
    }
}

fn grains(fault: Fault) -> Vec<Grain> {
    let count = if fault == Fault::NoInputs { 0 } else { 3 };
    (0..count).map(|grams| Grain { kind: "rye".into(), grams, husk: 7 }).collect()
}

#[tokio::test]
async fn good_stones_pass_and_so_do_those_that_may_vary() {
    let rig = Rig::new().unwrap();
    StageSuite::of(Stones::with(Fault::None), grains(Fault::None)).check(&rig).await.unwrap();
    let varying = StageSuite::of(Stones::with(Fault::AnswerOfTheTime), grains(Fault::None));
    varying.varies().check(&rig).await.unwrap();
}

#[tokio::test]
async fn a_broken_stage_is_told_which_rule_it_breaks() {
    for (fault, rule) in BROKEN {
        let suite = StageSuite::of(Stones::with(fault), grains(fault));
        names(rule, suite.check(&Rig::new().unwrap()).await);
    }
    all_are_broken("stage.rs", BROKEN.into_iter().map(|(_, rule)| rule));
}
