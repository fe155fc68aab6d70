//! A source whose items the test changes between runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use tidemill_pipeline::{
    Context, Emit, Fingerprint, Job, Pipeline, Result, ResultExt, Sent, Source, Step, Yielded,
};
use tokio::sync::Semaphore;

/// An item: a page that may have lost its title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fish {
    pub(super) name: String,
    pub(super) title: Option<String>,
}

impl Fish {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), title: Some(format!("the {name}")) }
    }
}

/// Yields what is in it now.
#[derive(Debug, Clone, Default)]
pub(super) struct Pond(Arc<Mutex<Vec<Fish>>>);

impl Pond {
    pub(super) fn fill(&self, fish: Vec<Fish>) {
        *self.0.lock().unwrap() = fish;
    }

    /// Fish that were not there before: each has the number in its name.
    pub(super) fn shoal(&self, number: usize) -> Vec<Fish> {
        ["bream", "eel", "perch"].map(|kind| Fish::new(&format!("{kind} {number}"))).to_vec()
    }
}

/// A job whose fish wait until the gate lets one through.
pub(super) fn held(name: &str, pond: &Pond, gate: &Arc<Semaphore>) -> Job {
    let job = Pipeline::named(name).read(pond.clone());
    Job::from(job.map_with(Arc::clone(gate), |gate, fish: Fish| async move {
        gate.acquire().await.or_halt()?.forget();
        Ok(fish)
    }))
}

impl Step for Pond {
    fn name(&self) -> &str {
        "pond"
    }

    fn version(&self) -> u32 {
        1
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::nothing()
    }
}

impl Source for Pond {
    type Item = Fish;

    async fn read(&self, out: &Emit<Fish>, _cx: &Context) -> Result<()> {
        let fish = self.0.lock().unwrap().clone();
        for fish in fish {
            let content = Fingerprint::of(&fish);
            if out.send(Yielded::new(fish.name.clone(), fish).content(content)).await? == Sent::Stop
            {
                break;
            }
        }
        Ok(())
    }
}
