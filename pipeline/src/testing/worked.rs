//! One stage on one input, in a run of its own.

use super::given::Given;
use super::rig::Rig;
use super::watched::{Log, Watched};
use crate::ledger::{ParkedFilter, ParkedItem, params};
use crate::run::RunReport;
use crate::{Error, Item, Pipeline, Result, Stage, Verdict};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

/// What became of an item in a stage.
#[derive(Debug)]
pub struct Worked<Out> {
    /// What came out; or the error of the last try, whose
    /// [`verdict`](Error::verdict) says where the item ended.
    pub result: Result<Out>,
    /// How often the stage was tried; an error to be retried makes it three.
    pub tries: usize,
    /// The lines said to the person.
    pub said: Vec<String>,
    /// Calls that [`Context::remember`](crate::Context::remember) made.
    pub calls_made: u64,
    /// Calls that were answered from the ledger.
    pub calls_remembered: u64,
    /// The files that the stage named as artifacts of the run.
    pub artifacts: Vec<PathBuf>,
}

impl<Out> Worked<Out> {
    /// Whether the stage said that the content is as it was last time.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.result.as_ref().is_err_and(Error::says_unchanged)
    }
}

impl Rig {
    /// Runs a stage on one input, as a pipeline that is published does: prepared, tried up to
    /// three times without waiting in between, finished. Each call is a run, a day after the last.
    ///
    /// All calls with stages of the same name are runs of one pipeline, and the item's key is
    /// `item`: the stage finds again what it has observed, and remembers its calls.
    ///
    /// ```
    /// use tidemill_pipeline::testing::Rig;
    /// use tidemill_pipeline::{Context, Fingerprint, Result, Stage, Step};
    ///
    /// /// Asks once what a word means.
    /// struct Meaning;
    /// # impl Step for Meaning {
    /// #     fn name(&self) -> &str { "meaning" }
    /// #     fn version(&self) -> u32 { 1 }
    /// #     fn fingerprint(&self) -> Fingerprint { Fingerprint::nothing() }
    /// # }
    /// impl Stage<String> for Meaning {
    ///     type Out = usize;
    ///     async fn run(&self, word: String, cx: &Context) -> Result<usize> {
    ///         cx.say("asking");
    ///         cx.remember(Fingerprint::of(&word), async { Ok(word.len()) }).await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let rig = Rig::new()?;
    /// let first = rig.stage(Meaning, "ebb".to_string()).await?;
    /// let second = rig.stage(Meaning, "ebb".to_string()).await?;
    /// assert_eq!((first.calls_made, second.calls_made, second.calls_remembered), (1, 0, 1));
    /// assert_eq!((first.said, second.result?), (vec!["asking".to_string()], 3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the run fails elsewhere than in [`Stage::run`]: in `prepare`, in `finish`, in the ledger.
    pub async fn stage<In: Item, S: Stage<In>>(
        &self,
        stage: S,
        input: In,
    ) -> Result<Worked<S::Out>> {
        self.stage_keyed(stage, "item", input).await
    }

    /// As [`stage`](Rig::stage), on an item with this key.
    ///
    /// # Errors
    /// As [`stage`](Rig::stage).
    pub async fn stage_keyed<In: Item, S: Stage<In>>(
        &self,
        stage: S,
        key: &str,
        input: In,
    ) -> Result<Worked<S::Out>> {
        let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
        let name: String = stage.name().chars().filter(fits).take(50).collect();
        let log = Log::new();
        let given = Given { keys: vec![key.to_string()], argument: self.number() };
        let watched = Watched { stage, inputs: vec![input], log: log.clone() };
        let run =
            self.run(Pipeline::named(format!("stage-{name}")).read(given).then(watched)).await;
        let (tries, scene) = {
            let mut noted = log.noted();
            let cx = noted.cx.take();
            (std::mem::take(&mut noted.tries), cx.map(|cx| cx.scene))
        };
        let (count, last) = (tries.len(), tries.into_iter().last().map(|(_, result)| result));
        let artifacts = match &run {
            Ok(report) => self.artifacts(report)?,
            Err(_) => Vec::new(),
        };
        Ok(Worked {
            result: self.ended(run, last)?,
            tries: count,
            said: scene.as_ref().map(|scene| scene.said()).unwrap_or_default(),
            calls_made: scene.as_ref().map_or(0, |scene| scene.calls_made.load(Relaxed)),
            calls_remembered: scene.as_ref().map_or(0, |s| s.calls_remembered.load(Relaxed)),
            artifacts,
        })
    }

    /// What the item came to in the engine's eyes; the outer error is none of the stage.
    fn ended<Out>(&self, run: Result<RunReport>, last: Option<Result<Out>>) -> Result<Result<Out>> {
        match (run, last) {
            (Ok(report), Some(Ok(out))) if report.items.done == 1 => Ok(Ok(out)),
            // A panic, or an answer without a JSON form: only the engine knows.
            (Ok(report), None | Some(Ok(_))) => Ok(Err(self.parked(&report)?)),
            (Ok(_), Some(Err(error))) => Ok(Err(error)),
            (Err(_), Some(Err(error))) if error.verdict() == Verdict::Halt => Ok(Err(error)),
            (Err(error), _) => Err(error),
        }
    }

    /// Why the run's item was set aside.
    pub(super) fn parked(&self, report: &RunReport) -> Result<Error> {
        let of_run = ParkedFilter { run: Some(report.run.clone()), ..ParkedFilter::default() };
        let all = self.home().ledger().read_now(|read| ParkedItem::all(read, &of_run))?;
        let Some(parked) = all.into_iter().next() else {
            return Ok(Error::halt("the item did not get through").because("not_done"));
        };
        let error = Error::park(parked.message).because(parked.reason);
        Ok(match parked.help {
            Some(help) => error.help(help),
            None => error,
        })
    }

    fn artifacts(&self, report: &RunReport) -> Result<Vec<PathBuf>> {
        let sql = "SELECT dataset, name FROM tm_artifacts JOIN tm_runs USING (run_no)
                    WHERE id = ?1 ORDER BY dataset, name";
        let all = self.home().ledger().read_now(|read| {
            read.all(sql, params![report.run], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
        })?;
        let scratch = self.home().scratch();
        let path = |(dataset, name): (String, String)| {
            scratch.folder(&dataset, &report.pipeline, &report.run).join(name)
        };
        Ok(all.into_iter().map(path).collect())
    }
}
