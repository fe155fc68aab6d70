//! Replays: an archived dataset goes through its pipeline once more, whenever no other run is at work.

use super::begin::prepare;
use super::execute::{RunOptions, not_begun};
use super::gate::open_gate;
use super::live::Scene;
use super::progress::Event;
use super::reenter::{self, NOTHING, UNFINISHED, archive_of, no_archive};
use super::report::RunReport;
use super::stop::Urgency;
use crate::build::Job;
use crate::ledger::{pipelines, runs};
use crate::mill::Home;
use crate::replay::{Forecast, Selection};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// So long after a run that went first and did not come to its end.
const AGAIN: Duration = Duration::from_secs(60);

fn at_work(pipeline: &str) -> Error {
    Error::halt(format!("a replay of {pipeline} is at work"))
        .because("at_work")
        .help(format!("wait until it is done; or end it with `replay {pipeline} --give-up`"))
}

fn has_ended() -> Error {
    Error::halt("the replay was given up")
        .because("given_up")
        .help("what models answered is remembered: the same replay begins where that ends")
}

impl Home {
    /// Gives up the unfinished replay of a pipeline, at work or not; what models answered stays. Says
    /// which run it was, if there was one.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn give_up_replay(self: &Arc<Self>, pipeline: &str) -> Result<Option<String>> {
        self.check_owner()?;
        self.lane().give_up(pipeline);
        let _room = self.turn(pipeline).await;
        let (name, now) = (pipeline.to_string(), self.clock().now().timestamp_millis());
        let given_up = self.ledger().transaction(move |tx| {
            let Some(no) = pipelines::known_number(tx, &name)? else { return Ok(vec![]) };
            let unfinished = runs::unfinished(tx, no, true)?;
            runs::abandon(tx, no, true, now)?;
            Ok(unfinished)
        });
        Ok(given_up.await?.pop())
    }

    /// Works on archived items again: goes on with the unfinished replay of this selection if there is
    /// one, else begins a new one. It gives way to every other run of this home, and goes on when they
    /// are done; it is published in one transaction, as any run. `None` when there is nothing to do.
    ///
    /// ```no_run
    /// # use tidemill_pipeline::replay::{Only, Selection};
    /// # use tidemill_pipeline::{Job, Result, mill::Home, run::RunOptions};
    /// # async fn f(home: std::sync::Arc<Home>, job: Job) -> Result<()> {
    /// let stale = Selection { only: Only::Stale, ..Selection::of("raw_scrapes") };
    /// let forecast = home.foresee(&job, stale.clone(), RunOptions::default()).await?;
    /// if forecast.calls.most < 1000 {
    ///     home.replay(&job, stale, RunOptions::default()).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`run`](Home::run); when the selection is none, the archive is away, or has not what is
    /// asked for. Then nothing was changed.
    pub async fn replay(
        self: &Arc<Self>,
        job: &Job,
        selection: Selection,
        options: RunOptions,
    ) -> Result<Option<RunReport>> {
        let given_up = self.lane().given_up(job.name());
        let _alone = self.lane().replays(job.name()).ok_or_else(|| at_work(job.name()))?;
        let mut made_room = false;
        loop {
            tokio::select! {
                () = self.lane().is_clear() => {}
                () = options.stop.reached(Urgency::Drain) => return Err(not_begun()),
            }
            if self.lane().given_up(job.name()) != given_up {
                return Err(has_ended());
            }
            let (stop, _forward) = options.stop.follower();
            self.lane().give_way(stop.clone());
            let replay = Some(selection.clone());
            let ended = self.run(job, RunOptions { stop, replay, ..options.clone() }).await;
            match ended {
                // Not the person stopped it, but another run that goes first.
                Err(error)
                    if error.reason() == "interrupted" && options.stop.urgency() == Urgency::Go =>
                {
                    made_room = true;
                    options.progress.event(&Event::Said(
                        "another run goes first; the replay goes on when it is done",
                    ));
                }
                Err(error) if error.reason() == NOTHING => return Ok(None),
                // That other run was stopped, or failed: it goes on some time.
                Err(error) if made_room && error.reason() == UNFINISHED => {
                    tokio::select! {
                        () = self.clock().sleep(AGAIN) => {}
                        () = options.stop.reached(Urgency::Drain) => return Err(error),
                    }
                }
                other => return other.map(Some),
            }
        }
    }

    /// Says what a replay would do and cost. Nothing is changed, and the home need not be owned.
    ///
    /// # Errors
    /// As [`replay`](Home::replay).
    pub async fn foresee(
        self: &Arc<Self>,
        job: &Job,
        selection: Selection,
        options: RunOptions,
    ) -> Result<Forecast> {
        let blueprint = &job.blueprint;
        blueprint.check()?;
        selection.check()?;
        let reentry = blueprint.reentry(&selection.from)?.clone();
        let Some(archive) = &blueprint.archive else { return Err(no_archive(job.name())) };
        let gate = open_gate(self, archive, options.archive.as_deref()).await?;
        let tier = archive_of(&gate)?;
        let name = blueprint.name.clone();
        let no = self.ledger().read(move |read| pipelines::known_number(read, &name)).await?;
        let (progress, stop) = (Arc::clone(&options.progress), options.stop.clone());
        let no = no.unwrap_or_default(); // none has this number: nothing is known of it
        let scene = Scene::new(Arc::clone(self), blueprint.name.clone(), no, progress, stop, false);
        let scene = Arc::new(scene.that_looks());
        let prepared = prepare(&scene, blueprint, reentry.no + 1).await?;
        let asked = (selection, reentry, tier);
        let replaying = Arc::new(reenter::look(&scene, asked, &prepared.nodes).await?);
        Forecast::make(&scene, blueprint, &replaying, &prepared.fingerprints).await
    }
}
