//! The rig, and one stage on one input: what is seen of a stage is what it did.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemill_pipeline::testing::{Lines, Rig};
use tidemill_pipeline::{Context, Error, Fingerprint, Pipeline, Result, Stage, Step, Verdict};

/// Does what a word says.
struct Does(&'static str);

impl Step for Does {
    fn name(&self) -> &str {
        self.0
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }

    async fn prepare(&self, _cx: &Context) -> Result<Fingerprint> {
        match self.0 {
            "not prepared" => Err(Error::halt("no model").because("model_away")),
            _ => Ok(self.fingerprint()),
        }
    }
}

impl Stage<String> for Does {
    type Out = String;

    async fn run(&self, text: String, cx: &Context) -> Result<String> {
        match self.0 {
            "observe" => cx.observe(Fingerprint::of(&text), None::<&()>).await?,
            "leave" => {
                let folder = cx.folder("things")?;
                std::fs::write(folder.join("a.txt"), &text)?;
                cx.artifact("things", "a.txt")?;
            }
            "nap" => cx.sleep(Duration::from_secs(3600)).await,
            "retry" if cx.attempt() < 3 => return Err(Error::retry("busy").because("busy")),
            "fail" => return Err(Error::retry("busy").because("busy").help("ask later")),
            "wait" => return Err(Error::wait("no model").because("model_away")),
            "halt" => {
                cx.say("the end");
                cx.remember(Fingerprint::of(&text), async { Ok(1) }).await?;
                return Err(Error::halt("the wheel broke").because("broken"));
            }
            "panic" => panic!("a stone fell"),
            _ => {}
        }
        Ok(format!("{} {text} of {}", self.0, cx.key()))
    }
}

async fn does(
    rig: &Rig,
    what: &'static str,
    text: &str,
) -> Result<tidemill_pipeline::testing::Worked<String>> {
    rig.stage(Does(what), text.to_string()).await
}

#[tokio::test]
async fn what_comes_out_of_a_stage_is_seen_with_its_tries() {
    let rig = Rig::new().unwrap();
    let worked = does(&rig, "retry", "ebb").await.unwrap();
    assert_eq!((worked.result.unwrap().as_str(), worked.tries), ("retry ebb of item", 3));
    let keyed = rig.stage_keyed(Does("two words"), "a", "ebb".to_string()).await.unwrap();
    assert_eq!(keyed.result.unwrap(), "two words ebb of a");
}

#[tokio::test]
async fn every_verdict_is_seen_with_its_reason() {
    let rig = Rig::new().unwrap();
    let cases = [
        ("fail", "busy", Verdict::Retry { after: None }, 3),
        ("wait", "model_away", Verdict::Wait, 1),
        ("halt", "broken", Verdict::Halt, 1),
        ("panic", "panicked", Verdict::Park, 0),
    ];
    for (what, reason, verdict, tries) in cases {
        for text in ["ebb", "flow"] {
            let worked = does(&rig, what, text).await.unwrap();
            let error = worked.result.unwrap_err();
            assert_eq!((error.reason(), error.verdict(), worked.tries), (reason, verdict, tries));
        }
    }
    let said = does(&rig, "halt", "ebb").await.unwrap();
    // Before it the engine says that the run which halted last is given up.
    let last = said.said.last().map(String::as_str);
    assert_eq!((last, said.calls_made, said.calls_remembered), (Some("the end"), 0, 1));
    let error = does(&rig, "not prepared", "ebb").await.unwrap_err();
    assert_eq!(error.reason(), "model_away", "that is no answer of the stage");
}

#[tokio::test]
async fn what_waited_is_worked_on_with_the_input_of_now() {
    let rig = Rig::new().unwrap();
    let (seen, here) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(0)));
    for text in ["ebb", "flow"] {
        let stage = Waits { seen: seen.clone(), here: here.clone() };
        let worked = rig.stage(stage, text.to_string()).await.unwrap();
        assert_eq!(worked.result.is_ok(), text == "flow");
    }
    assert_eq!(*seen.lock().unwrap(), ["ebb", "flow"]);
}

/// Waits the first time.
struct Waits {
    seen: Arc<Mutex<Vec<String>>>,
    here: Arc<AtomicU32>,
}

impl Step for Waits {
    fn name(&self) -> &str {
        "waits"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Stage<String> for Waits {
    type Out = ();

    async fn run(&self, text: String, _cx: &Context) -> Result<()> {
        self.seen.lock().unwrap().push(text);
        match self.here.fetch_add(1, SeqCst) {
            0 => Err(Error::wait("not here")),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn observations_artifacts_and_pauses_are_seen() {
    let rig = Rig::new().unwrap();
    assert!(!does(&rig, "observe", "ebb").await.unwrap().is_unchanged());
    assert!(does(&rig, "observe", "ebb").await.unwrap().is_unchanged());
    assert!(!does(&rig, "observe", "flow").await.unwrap().is_unchanged());

    let worked = does(&rig, "leave", "ebb").await.unwrap();
    let [file] = worked.artifacts.try_into().unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "ebb");

    use tidemill_pipeline::clock::Clock;
    let before = rig.clock().now();
    does(&rig, "nap", "ebb").await.unwrap();
    assert_eq!((rig.clock().now() - before).num_minutes(), 24 * 60 + 60, "a day and the nap");
}

#[tokio::test]
async fn a_rig_shows_rows_as_another_program_sees_them() {
    let rig = Rig::new().unwrap();
    assert!(rig.home().root().starts_with(rig.folder().canonicalize().unwrap()));
    let report = rig.run(Pipeline::named("tides").read(Lines::of(["ebb"]))).await.unwrap();
    assert_eq!(report.dt, "2026-01-02");
    let sql = "SELECT 1, NULL, 2.5, key FROM tm_items";
    assert_eq!(rig.rows(sql).unwrap(), ["1|NULL|2.5|ebb"]);
    assert!(rig.rows("SELECT * FROM nothing").is_err());
}
