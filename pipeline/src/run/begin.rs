//! The beginning of a run: each step is prepared, an unfinished run is resumed or a new one begun.

use super::execute::RunOptions;
use super::live::{Before, Beginning, Live, Scene};
use super::reenter::Replaying;
use super::report::Counts;
use super::trial::Trial;
use crate::build::{Blueprint, Memory, Node};
use crate::clock::Nominal;
use crate::ledger::{Done, NewRun, items, parked, pipelines, replays, runs, spliced};
use crate::mill::Home;
use crate::{Context, Fingerprint, Result};
use std::sync::Arc;

/// What each step says of itself, and the chain's fingerprint.
pub(crate) struct Prepared {
    pub(crate) nodes: Vec<Node>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    chain: Fingerprint,
}

/// Prepares the steps from the place `from` on; those before it are not asked.
pub(crate) async fn prepare(
    scene: &Arc<Scene>,
    blueprint: &Blueprint,
    from: usize,
) -> Result<Prepared> {
    let cx = Context::of_scene(scene);
    let mut nodes = blueprint.nodes.clone();
    for (node, step) in nodes.iter_mut().zip(&blueprint.steps).skip(from) {
        // A table makes itself when it is prepared; who only looks leaves it as it is.
        let works = !scene.looks || node.memory != Memory::Staged;
        if let Some(step) = step.as_ref().filter(|_| works) {
            node.fingerprint =
                step.prepare(&cx).await.map_err(|e| e.context(format!("prepare {}", node.name)))?;
        }
    }
    for (_, files) in &blueprint.files {
        files.check(&cx)?;
    }
    let (fingerprints, chain) = fingerprints(&nodes);
    Ok(Prepared { nodes, fingerprints, chain })
}

impl Prepared {
    /// The chain of a replay: steps before its entry are not prepared, and stand as the newest run
    /// found them.
    async fn behind_last_run(self, scene: &Scene, entry: usize) -> Result<Self> {
        let name = scene.pipeline.clone();
        let done = scene.home.ledger().read(move |read| Done::chains(read, &name)).await?;
        let Some(newest) = done.newest() else { return Ok(self) };
        let nodes = spliced(newest, &self.nodes, entry);
        if nodes.len() != self.nodes.len() {
            return Ok(self); // the chain before the entry is another one now
        }
        let (fingerprints, chain) = fingerprints(&nodes);
        Ok(Self { nodes, fingerprints, chain })
    }
}

/// The fingerprint of each step as it is prepared, and that of the whole chain.
pub(crate) fn fingerprints(nodes: &[Node]) -> (Vec<Fingerprint>, Fingerprint) {
    let of =
        |node: &Node| Fingerprint::of(&(&node.name, node.version, node.fingerprint, &node.fills));
    let each: Vec<_> = nodes.iter().map(of).collect();
    // The source is not part of the chain: one feed more makes no answer stale.
    let chain = Fingerprint::of(each.get(1..).unwrap_or_default());
    (each, chain)
}

/// What else a run is begun with, when it is no ordinary one.
#[derive(Default)]
pub(super) struct With {
    pub(super) trial: Option<Trial>,
    pub(super) replaying: Option<Arc<Replaying>>,
}

/// Begins or resumes the run. Says how many items it took over, and whether it was resumed.
pub(super) async fn begin(
    scene: &Arc<Scene>,
    blueprint: &Arc<Blueprint>,
    prepared: Prepared,
    options: &RunOptions,
    with: With,
) -> Result<(Arc<Live>, u64, bool)> {
    let home = &scene.home;
    let prepared = match &with.replaying {
        Some(replaying) => prepared.behind_last_run(scene, replaying.reentry.no).await?,
        None => prepared,
    };
    let new = new_run(scene, blueprint, &prepared, options, &with);
    look_back(scene, new.now).await?;
    let (no, chain, plan) =
        (scene.pipeline_no, prepared.chain, serde_json::to_string(&prepared.nodes)?);
    let is_replay = new.replay.is_some();
    // A replay has a limit of its own, and takes over nothing.
    let limit = blueprint.limit.filter(|_| !is_replay);
    let entries = blueprint.entries_from(new.entry);
    let (run, resumed, carried, given_up) = home
        .ledger()
        .transaction(move |tx| {
            let mut new = new;
            new.plan_no = pipelines::plan_no(tx, no, &chain, &plan)?;
            let given_up = if new.trial { vec![] } else { runs::unfinished(tx, no, is_replay)? };
            let (run, resumed) = runs::begin(tx, &new)?;
            let fresh = !resumed && !new.trial && !is_replay;
            let carried = if fresh { items::carry(tx, &run, limit)? } else { 0 };
            items::park_strays(tx, run.no, &entries)?;
            Ok((run, resumed, carried, given_up))
        })
        .await?;
    for id in given_up.iter().filter(|id| !resumed && **id != run.id) {
        scene.say(format!(
            "run {id} was not finished and is given up, since this one reads from elsewhere; its items come again"
        ));
    }
    let run_no = run.no;
    let calls = match &run.report {
        Some(pulse) if is_replay && resumed => serde_json::from_value(pulse["calls"].clone())?,
        _ => (0, 0),
    };
    let before = home
        .ledger()
        .read(move |read| {
            let waiting = limit.map_or(Ok(vec![]), |_| items::waiting(read, no, run_no))?;
            let ends = if resumed { items::ends(read, run_no)?.0 } else { Counts::default() };
            Ok(Before {
                waiting: waiting.into_iter().collect(),
                dropped: parked::dropped(read, no)?.into_iter().collect(),
                ends,
                last_seq: items::last_seq(read, run_no)?,
                calls,
                passed: limit.map_or(Ok(0), |_| items::passed(read, run_no))?,
            })
        })
        .await?;
    if is_replay && resumed {
        say_superseded(scene, run_no).await?;
    }
    let with = Beginning {
        run,
        fingerprints: prepared.fingerprints,
        chain,
        before,
        patience: options.patience,
        keep_going: options.keep_going,
        trial: with.trial,
        replaying: with.replaying,
    };
    let live = Live::new(Arc::clone(scene), Arc::clone(blueprint), with);
    Ok((Arc::new(live), carried, resumed))
}

/// Other runs came first, and what they made is newer.
async fn say_superseded(scene: &Scene, run_no: i64) -> Result<()> {
    let count = scene.home.ledger().read(move |read| replays::superseded(read, run_no)).await?;
    if count > 0 {
        scene.say(format!(
            "{count} items were done anew by other runs meanwhile; they stay as those left them"
        ));
    }
    Ok(())
}

fn new_run(
    scene: &Scene,
    blueprint: &Blueprint,
    prepared: &Prepared,
    options: &RunOptions,
    with: &With,
) -> NewRun {
    let home = &scene.home;
    let now = home.clock().now();
    let local = home.zone().local(now);
    let nominal = options.scheduled_for.unwrap_or(Nominal { local, offset: None });
    let selection = with.replaying.as_ref().map(|replaying| &replaying.selection);
    NewRun {
        id: run_id(home, &scene.pipeline, now),
        pipeline_no: scene.pipeline_no,
        plan_no: 0,
        source: match &with.replaying {
            Some(replaying) => replaying.selection.fingerprint(&replaying.tier.id),
            None => prepared.fingerprints.first().copied().unwrap_or_else(Fingerprint::nothing),
        },
        source_name: match selection {
            Some(selection) => format!("replay {}", selection.from),
            None => blueprint.source().to_string(),
        },
        trigger: match (&with.trial, selection) {
            (Some(_), _) => "try".into(),
            (_, Some(_)) => "replay".into(),
            _ => options.trigger.clone(),
        },
        scheduled_for: nominal.to_string(),
        firing_no: options.firing,
        only_resume: options.only_resume,
        dt: nominal.date().format("%Y-%m-%d").to_string(),
        now: now.timestamp_millis(),
        trial: with.trial.is_some(),
        replay: selection.cloned(),
        entry: with.replaying.as_ref().map_or(0, |replaying| replaying.reentry.no),
    }
}

/// Says so when the clock is behind the newest run: files are dated by it, nothing else depends on
/// it.
async fn look_back(scene: &Scene, now: i64) -> Result<()> {
    let no = scene.pipeline_no;
    let newest = "SELECT max(started_at) FROM tm_runs WHERE pipeline_no = ?1";
    let newest = scene
        .home
        .ledger()
        .read(move |read| read.one(newest, [no], |row| row.get::<_, Option<i64>>(0)))
        .await?
        .flatten();
    // Clocks are put right by seconds all the time.
    if let Some(ahead) = newest.map(|newest| newest - now).filter(|ahead| *ahead > 60_000) {
        scene.say(format!(
            "the clock is {} minutes behind the newest run: nothing is lost, but this run is filed under the clock's date; set the clock right",
            ahead / 60_000
        ));
    }
    Ok(())
}

/// A safe file name that sorts by time: `20261120T020000Z-7f3a9c`.
fn run_id(home: &Home, pipeline: &str, now: chrono::DateTime<chrono::Utc>) -> String {
    let seed = (home.mill(), pipeline, now.timestamp_nanos_opt(), std::process::id());
    let tail = Fingerprint::of(&seed).to_hex();
    format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &tail[..6])
}
