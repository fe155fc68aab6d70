//! `plan`: the steps of the pipelines, how each keeps what it did, and what of it is stale.

use super::flags::Flags;
use super::{diagram, home, out};
use crate::Outcome;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemill_pipeline::build::{Knobs, Memory, Node};
use tidemill_pipeline::clock::SystemClock;
use tidemill_pipeline::ledger::{Done, PipelineRow, ScheduleRow, Stale, StaleStep, Why};
use tidemill_pipeline::mill::{Home, Planned};
use tidemill_pipeline::{Archive, Error, Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline; all when left out
    pipeline: Option<String>,
    /// Print a drawing for Graphviz instead
    #[arg(long)]
    dot: bool,
}

/// One pipeline's plan.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) pipeline: String,
    schedule: Option<String>,
    next: Option<String>,
    pub(super) archive: Option<String>,
    /// How many new or changed items one run works on.
    limit: Option<u64>,
    /// The local time at which a run's time is up.
    until: Option<String>,
    pub(super) steps: Vec<Step>,
    /// What was done by other steps than these.
    stale: Stale,
}

#[derive(Debug, Serialize)]
pub(super) struct Step {
    #[serde(flatten)]
    pub(super) node: Node,
    /// The archived dataset at which a pipeline can be entered again.
    pub(super) replay: Option<String>,
    /// What is turned on it, in words; empty when all is as usual, or not known here.
    knobs: Vec<String>,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    if args.dot && flags.json {
        return Err(Error::halt("a drawing is no JSON report")
            .because("usage")
            .help("leave out --dot or --json"));
    }
    let shown = &Flags { quiet: flags.quiet || args.dot, ..flags.clone() };
    let plans = match mill {
        Some(mill) => of_code(shown, args, mill).await?,
        None => of_ledger(shown, args).await?,
    };
    if args.dot {
        out::result(flags, diagram::dot(&plans));
        return Ok(Outcome::Done);
    }
    for plan in &plans {
        print(flags, plan);
    }
    if plans.is_empty() {
        out::line(flags, "no pipeline ran here yet");
    }
    out::json(flags, &plans)?;
    Ok(Outcome::Done)
}

async fn of_code(flags: &Flags, args: &Args, mill: &Mill) -> Result<Vec<Plan>> {
    let wanted = args.pipeline.as_deref();
    let planned = match wanted {
        Some(_) => vec![mill.find(wanted)?],
        None => mill.planned().iter().collect(),
    };
    let home = match home::look(flags, Some(mill)) {
        Ok(home) => Some(home),
        Err(error) if error.reason() == "home_missing" => {
            let place = home::place(flags, Some(mill))?;
            out::line(flags, format!("home {}: the first run makes it", place.display()));
            None
        }
        Err(error) => return Err(error),
    };
    let mut plans = Vec::new();
    for planned in planned {
        planned.job.check()?;
        plans.push(as_written(planned, home.as_ref()).await?);
    }
    Ok(plans)
}

async fn as_written(planned: &Planned, home: Option<&Arc<Home>>) -> Result<Plan> {
    let job = &planned.job;
    let done = match home {
        Some(home) => known(home, job.name()).await?,
        None => Done::default(),
    };
    let next = planned.next(&SystemClock);
    Ok(Plan {
        pipeline: job.name().to_string(),
        schedule: planned.timing.as_ref().map(|timing| timing.schedule.text().to_string()),
        next: next.map(|at| at.local.format("%Y-%m-%d %H:%M").to_string()),
        archive: job.archive().map(ToString::to_string),
        limit: job.limit(),
        until: job.until().map(str::to_string),
        stale: done.stale(job.nodes()),
        steps: steps(job.nodes(), job.knobs()),
    })
}

/// Without the code: as the pipelines were at their last run.
async fn of_ledger(flags: &Flags, args: &Args) -> Result<Vec<Plan>> {
    home::known(flags, None, args.pipeline.as_deref()).await?;
    let home = home::look(flags, None)?;
    let (rows, schedules) =
        home.ledger().read(|read| Ok((PipelineRow::all(read)?, ScheduleRow::all(read)?))).await?;
    let wanted = |row: &PipelineRow| args.pipeline.as_ref().is_none_or(|name| *name == row.name);
    let mut plans = Vec::new();
    for row in rows.into_iter().filter(wanted) {
        let done = known(&home, &row.name).await?;
        let Some(newest) = done.newest() else { continue };
        let archive = row.archive.as_deref().map(serde_json::from_str::<Archive>).transpose()?;
        let schedule = schedules.iter().find(|schedule| schedule.pipeline == row.name);
        let next = schedule.and_then(|schedule| schedule.next(home.clock().now()));
        plans.push(Plan {
            schedule: schedule.map(|row| row.timing.schedule.text().to_string()),
            next: next.map(|at| at.scheduled_for.local.format("%Y-%m-%d %H:%M").to_string()),
            archive: archive.map(|archive| archive.to_string()),
            limit: None,
            until: None,
            stale: done.stale(newest),
            steps: steps(newest, &[]),
            pipeline: row.name,
        });
    }
    Ok(plans)
}

async fn known(home: &Arc<Home>, pipeline: &str) -> Result<Done> {
    let name = pipeline.to_string();
    home.ledger().read(move |read| Done::read(read, &name)).await
}

fn steps(nodes: &[Node], knobs: &[Knobs]) -> Vec<Step> {
    let mut entries = BTreeSet::new();
    let step = |(no, node): (usize, &Node)| {
        let dataset = node.fills.clone().filter(|_| node.verb != "store");
        Step {
            node: node.clone(),
            // Two kinds of files of one dataset are one entry.
            replay: dataset.filter(|name| entries.insert(name.clone())),
            knobs: knobs.get(no).map_or_else(Vec::new, |knobs| turned(node, knobs)),
        }
    };
    nodes.iter().enumerate().map(step).collect()
}

/// The knobs that are not as usual.
fn turned(node: &Node, knobs: &Knobs) -> Vec<String> {
    let (workers, tries) = if node.verb == "then" { (4, 3) } else { (1, 1) };
    let mut words = Vec::new();
    if knobs.workers != workers {
        words.push(out::count(knobs.workers as u64, "worker"));
    }
    if !knobs.ordered {
        words.push("in any order".into());
    }
    if knobs.tries != tries {
        words.push(match knobs.tries {
            1 => "tried once".into(),
            n => format!("tried {n} times"),
        });
    }
    if let Some(limit) = knobs.timeout {
        words.push(format!("at most {} a try", out::span(limit.as_secs_f64() * 1000.0)));
    }
    if let Some((thing, n)) = &knobs.within {
        words.push(format!("within {thing}: {n} at once"));
    }
    words
}

fn print(flags: &Flags, plan: &Plan) {
    let line = |text: String| out::result(flags, text);
    let mut head = plan.pipeline.clone();
    if let (Some(schedule), Some(next)) = (&plan.schedule, &plan.next) {
        head.push_str(&format!(" · {schedule}, next {next}"));
    }
    line(head);
    for (place, step) in plan.steps.iter().enumerate() {
        let here = plan.stale.steps.iter().filter(|stale| stale.place == place);
        for gone in here.clone().filter(|stale| stale.why == Why::Removed) {
            line(format!("      {}: {}", gone.step, stale(gone)));
        }
        line(in_a_line(place, step));
        if !step.knobs.is_empty() {
            line(out::wrapped(&step.knobs.join(" · "), 65, "              "));
        }
        for other in here.filter(|stale| stale.why != Why::Removed) {
            line(format!("              {}", stale(other)));
        }
    }
    let behind = plan.stale.steps.iter().filter(|stale| stale.place >= plan.steps.len());
    behind.for_each(|gone| line(format!("      {}: {}", gone.step, stale(gone))));
    bounds(plan).into_iter().for_each(|text| line(format!("      {text}")));
}

fn stale(what: &StaleStep) -> String {
    format!("stale: {}: {}", out::count(what.items, "item"), what.why)
}

fn in_a_line(place: usize, step: &Step) -> String {
    let node = &step.node;
    let version = if node.version > 0 { format!("@{}", node.version) } else { String::new() };
    let fills = match (&step.replay, &node.fills) {
        (Some(dataset), _) => format!(" ⟲ {dataset}"),
        (None, Some(target)) => format!(" → {target}"),
        (None, None) => String::new(),
    };
    format!(
        "  {:>2}  {:<8}{:<18} {:<14} {}{fills}",
        place + 1,
        node.verb,
        format!("{}{version}", node.name),
        node.yields,
        memory(node.memory)
    )
}

fn memory(memory: Memory) -> &'static str {
    match memory {
        Memory::Recorded => "recorded",
        Memory::Remembered => "remembered",
        Memory::Recomputed => "recomputed",
        Memory::Staged => "staged",
        Memory::Spooled => "spooled",
        Memory::Derived => "derived",
    }
}

/// What holds for the pipeline as a whole.
fn bounds(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let limit = plan.limit.map(|n| format!("at most {} a run", out::count(n, "item")));
    let until = plan.until.as_ref().map(|time| format!("until {time}"));
    let bounds: Vec<_> = limit.into_iter().chain(until).collect();
    if !bounds.is_empty() {
        lines.push(format!("{}; the rest waits for the next run", bounds.join(" · ")));
    }
    if let Some(archive) = &plan.archive {
        let (place, keep) = archive.split_once(" · ").unwrap_or((archive, ""));
        lines.push(format!("offload {place}"));
        lines.push(format!("        {keep}"));
    }
    let Stale { items, of, .. } = &plan.stale;
    match (items, of) {
        (_, 0) => {}
        (0, of) => lines.push(format!("{}, none stale", out::count(*of, "item"))),
        (items, of) => lines.push(format!(
            "{items} of {} stale: they keep their answers until they change",
            out::count(*of, "item")
        )),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tidemill_pipeline::Pipeline;
    use tidemill_pipeline::testing::Lines;

    #[tokio::test]
    async fn knobs_and_bounds_are_shown_when_they_are_not_as_usual() {
        let shout = |line: String| async move { Ok(line.to_uppercase()) };
        let job = Pipeline::named("shout")
            .read(Lines::of(["ebb"]))
            .map(shout)
            .map(shout)
            .workers(4)
            .unordered()
            .retry(2)
            .timeout(Duration::from_secs(30))
            .within("the mill", 2)
            .limit(9)
            .until("08:00");
        let mill = Mill::at("nowhere").daily("06:00", job);
        let plan = as_written(mill.find(None).unwrap(), None).await.unwrap();
        assert!(plan.steps[1].knobs.is_empty(), "{:?}", plan.steps[1]);
        assert_eq!(
            plan.steps[2].knobs.join(" · "),
            "4 workers · in any order · tried 2 times · at most 30.0 s a try · within the mill: 2 at once"
        );
        assert_eq!(
            bounds(&plan),
            ["at most 9 items a run · until 08:00; the rest waits for the next run"]
        );
        assert!(plan.next.is_some() && plan.schedule.is_some(), "{plan:?}");
    }
}
