//! A stage under watch: it works on given inputs, and what each try came to is noted.

use super::given::item;
use crate::{Context, Error, Fingerprint, Item, Result, Stage, Step};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a watched stage did.
pub(super) struct Log<Out>(Arc<Mutex<Noted<Out>>>);

pub(super) struct Noted<Out> {
    /// The number of each input that was worked on, with what came out.
    pub(super) tries: Vec<(usize, Result<Out>)>,
    /// The context of the last try.
    pub(super) cx: Option<Context>,
}

impl<Out> Clone for Log<Out> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Out> Log<Out> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Noted { tries: Vec::new(), cx: None })))
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted<Out>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a stage on the input that a number stands for.
///
/// The inputs are not the items of the run: what waited since an earlier run of the rig is worked
/// on with the input of now, as the test means it.
pub(super) struct Watched<S, In, Out> {
    pub(super) stage: S,
    pub(super) inputs: Vec<In>,
    pub(super) log: Log<Out>,
}

impl<S: Step, In: Item, Out: Item> Step for Watched<S, In, Out> {
    fn name(&self) -> &str {
        self.stage.name()
    }

    fn fills(&self) -> Option<&str> {
        self.stage.fills()
    }

    fn version(&self) -> u32 {
        self.stage.version()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.stage.fingerprint()
    }

    async fn prepare(&self, cx: &Context) -> Result<Fingerprint> {
        self.stage.prepare(cx).await
    }

    async fn finish(&self, cx: &Context) -> Result<()> {
        self.stage.finish(cx).await
    }

    fn workers(&self) -> usize {
        self.stage.workers()
    }
}

impl<In: Item, S: Stage<In>> Stage<usize> for Watched<S, In, S::Out> {
    type Out = S::Out;

    async fn run(&self, number: usize, cx: &Context) -> Result<S::Out> {
        let input = item(&self.inputs, number)?;
        self.log.noted().cx = Some(cx.clone());
        let result = self.stage.run(input, cx).await;
        let noted = match &result {
            Ok(out) => Ok(out.clone()),
            Err(error) => Err(retold(error)),
        };
        self.log.noted().tries.push((number, noted));
        result
    }

    fn input(&self, number: &usize) -> Fingerprint {
        let input = self.inputs.get(*number);
        input.map_or_else(Fingerprint::nothing, |input| self.stage.input(input))
    }
}

/// The same error once more, as the engine judges it.
fn retold(error: &Error) -> Error {
    if error.says_unchanged() {
        return Error::unchanged();
    }
    let again = error.told_again();
    if error.is_passing() { again.passing() } else { again }
}
