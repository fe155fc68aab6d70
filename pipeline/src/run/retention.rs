//! Retention: what the archive no longer has to keep, decided with reasons, then carried out.

use super::finish::SNAPSHOTS;
use super::gate::Gate;
use super::live::Scene;
use super::report::{PruneLine, PruneReport};
use super::tier_thread;
use crate::build::Archive;
use crate::clock::Nominal;
use crate::keep::{Dated, Decision, Kept, plan_increments, plan_snapshots};
use crate::ledger::{OffloadRow, OffloadState, offloads};
use crate::mill::Home;
use crate::tier::{self, Tier, prune::Scope};
use crate::{Error, Result};
use chrono::{NaiveDate, NaiveDateTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Runs stay in the archive's trash this long before they are purged.
const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A plan that takes away more runs of a dataset than this, and more than half, needs a yes.
const LARGE: usize = 10;

/// Decides for every archived run of a pipeline whether it stays; touches nothing. With the id of
/// an archive only its runs are looked at.
///
/// # Errors
/// When the ledger refuses, or a policy for snapshots is empty.
pub async fn decide(
    home: &Arc<Home>,
    pipeline: &str,
    archive: &Archive,
    tier: Option<&str>,
) -> Result<Vec<PruneLine>> {
    let (name, id) = (pipeline.to_string(), tier.map(str::to_string));
    let (archived, under_way, references) = home
        .ledger()
        .read(move |read| {
            Ok((
                OffloadRow::archived(read, &name, id.as_deref())?,
                OffloadRow::under_way(read, Some(&name))?,
                offloads::references(read, &name)?,
            ))
        })
        .await?;
    let now = home.zone().local(home.clock().now());
    let mut datasets: BTreeMap<&str, Vec<&OffloadRow>> = BTreeMap::new();
    for row in &archived {
        datasets.entry(&row.dataset).or_default().push(row);
    }
    let mut lines = Vec::new();
    for (dataset, rows) in datasets {
        let decisions = if dataset == SNAPSHOTS {
            snapshots(&rows, archive, now)?
        } else {
            let mut alive: BTreeSet<String> = under_way.iter().map(|row| row.run.clone()).collect();
            let of_dataset: Vec<_> = references
                .iter()
                .filter(|(of, _, _)| of == dataset)
                .map(|(_, run, by)| (run.as_str(), by.as_str()))
                .collect();
            increments(&rows, archive, now.date(), &mut alive, &of_dataset)?
        };
        lines.extend(decisions.into_iter().filter_map(|decision| line(&rows, decision)));
    }
    Ok(lines)
}

fn snapshots(rows: &[&OffloadRow], archive: &Archive, now: NaiveDateTime) -> Result<Vec<Decision>> {
    // Newest first: of two runs of the same second the later one counts as the newer.
    let runs = rows
        .iter()
        .rev()
        .map(|row| {
            let nominal: Nominal = row.scheduled_for.parse()?;
            Ok(Kept { run: row.run.clone(), at: nominal.local, pinned: false })
        })
        .collect::<Result<Vec<_>>>()?;
    plan_snapshots(&runs, &archive.snapshots, now)
}

/// By age first; then runs stay that hold bodies which a run that stays refers to.
fn increments(
    rows: &[&OffloadRow],
    archive: &Archive,
    today: NaiveDate,
    alive: &mut BTreeSet<String>,
    references: &[(&str, &str)],
) -> Result<Vec<Decision>> {
    let mut runs = rows
        .iter()
        .map(|row| {
            let date = row.dt.parse::<NaiveDate>()?;
            Ok(Dated { run: row.run.clone(), date, pinned: false, referenced: false })
        })
        .collect::<Result<Vec<_>>>()?;
    let by_age = plan_increments(&runs, &archive.increments, today);
    alive.extend(by_age.into_iter().filter(|d| d.keep).map(|d| d.run));
    // References point at full captures only, never at references: one pass finds them all.
    for run in &mut runs {
        run.referenced =
            references.iter().any(|(held, by)| *held == run.run && alive.contains(*by));
    }
    Ok(plan_increments(&runs, &archive.increments, today))
}

fn line(rows: &[&OffloadRow], decision: Decision) -> Option<PruneLine> {
    let row = rows.iter().find(|row| row.run == decision.run)?;
    Some(PruneLine {
        pipeline: row.pipeline.clone(),
        dataset: row.dataset.clone(),
        run: decision.run,
        dt: row.dt.clone(),
        keep: decision.keep,
        reasons: decision.reasons,
        bytes: row.bytes,
    })
}

/// Why a plan is too large to be carried out without a yes.
fn too_large(lines: &[PruneLine]) -> Option<String> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in lines {
        let (going, all) = counts.entry(&line.dataset).or_default();
        *all += 1;
        *going += usize::from(!line.keep);
    }
    counts.into_iter().find(|(_, (going, all))| *going > LARGE && going * 2 > *all).map(
        |(dataset, (going, all))| {
            format!("{going} of {all} runs of {dataset} would go; look with `prune --dry-run`, then `prune --yes`")
        },
    )
}

/// Carries a plan out: the runs go to the archive's trash, and what lay there long enough is
/// purged. A large plan needs `yes`.
///
/// # Errors
/// *Wait* when the archive is away; then nothing more is touched.
pub async fn apply(
    home: &Arc<Home>,
    tier: &Tier,
    lines: Vec<PruneLine>,
    yes: bool,
) -> Result<PruneReport> {
    let mut report = PruneReport {
        kept: lines.iter().filter(|line| line.keep).count() as u64,
        ..PruneReport::default()
    };
    if let Some(why) = too_large(&lines).filter(|_| !yes) {
        report.held_back = Some(why);
        return Ok(report);
    }
    let mut scopes: BTreeMap<(String, String), Vec<Decision>> = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.keep) {
        let decision =
            Decision { run: line.run.clone(), keep: false, reasons: line.reasons.clone() };
        scopes.entry((line.pipeline.clone(), line.dataset.clone())).or_default().push(decision);
    }
    let (mill, now) = (home.mill().to_string(), home.clock().now());
    for ((pipeline, dataset), decisions) in scopes {
        let scope = Scope { mill: mill.clone(), pipeline, dataset: dataset.clone() };
        let own = tier.clone();
        let pruned = tier_thread::run(move |beat| {
            beat();
            tier::prune(&own, &scope, &decisions, now)
        })
        .await?;
        // Noted scope by scope: what is gone is known, also when the next one fails.
        note_pruned(home, dataset, [pruned.runs, pruned.missing].concat()).await?;
    }
    let own = tier.clone();
    tier_thread::run(move |_| tier::purge_trash(&own, &mill, now, GRACE)).await?;
    report.decisions = lines.into_iter().filter(|line| !line.keep).collect();
    Ok(report)
}

async fn note_pruned(home: &Arc<Home>, dataset: String, gone: Vec<String>) -> Result<()> {
    home.ledger()
        .commit(move |tx| {
            for run in &gone {
                for row in OffloadRow::of_run(tx, run)?.iter().filter(|r| r.dataset == dataset) {
                    offloads::advance(tx, row, OffloadState::Pruned, None)?;
                }
            }
            Ok(())
        })
        .await
}

/// At the end of a run: the plan is made and, unless it is a large one, carried out.
pub(crate) async fn after_run(scene: &Arc<Scene>, gate: &Gate) -> Result<PruneReport> {
    let no = scene.pipeline_no;
    let archive = scene
        .home
        .ledger()
        .read(move |read| {
            let sql = "SELECT archive FROM tm_pipelines WHERE pipeline_no = ?1";
            Ok(read.one(sql, [no], |row| row.get::<_, Option<String>>(0))?.flatten())
        })
        .await?;
    let (Some(archive), Some(tier)) = (archive, &gate.tier) else {
        return Ok(PruneReport::default());
    };
    let archive: Archive = serde_json::from_str(&archive)?;
    let lines = decide(&scene.home, &scene.pipeline, &archive, Some(&tier.id)).await?;
    let report = match apply(&scene.home, tier, lines, false).await {
        Err(error) if error.verdict() == crate::Verdict::Wait => {
            PruneReport { held_back: Some(error.message()), ..PruneReport::default() }
        }
        other => other.map_err(|e: Error| e.context("retention"))?,
    };
    if let Some(why) = &report.held_back {
        scene.say(format!("retention: {why}"));
    }
    Ok(report)
}
