//! `plan`: the steps of the pipelines and how each keeps what it did.

use super::flags::Flags;
use super::{home, out};
use crate::Outcome;
use serde::{Deserialize, Serialize};
use tidemill_pipeline::clock::{SystemClock, Zone};
use tidemill_pipeline::ledger::params;
use tidemill_pipeline::{Mill, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline; all when left out
    pipeline: Option<String>,
}

/// One pipeline's plan.
#[derive(Debug, Serialize)]
struct Plan {
    pipeline: String,
    schedule: Option<String>,
    next: Option<String>,
    archive: Option<String>,
    steps: Vec<StepRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StepRow {
    verb: String,
    name: String,
    version: u32,
    yields: String,
    memory: String,
    fills: Option<String>,
}

pub(super) async fn run(flags: &Flags, args: &Args, mill: Option<&Mill>) -> Result<Outcome> {
    let plans = match mill {
        Some(mill) => of_code(args, mill)?,
        None => of_ledger(flags, args).await?,
    };
    for plan in &plans {
        print(flags, plan);
    }
    out::json(flags, &plans)?;
    Ok(Outcome::Done)
}

fn of_code(args: &Args, mill: &Mill) -> Result<Vec<Plan>> {
    let wanted = args.pipeline.as_deref();
    let planned = match wanted {
        Some(_) => vec![mill.find(wanted)?],
        None => mill.planned().iter().collect(),
    };
    let zone = Zone::of_system();
    planned
        .into_iter()
        .map(|planned| {
            let nodes = serde_json::to_value(planned.job.nodes())?;
            Ok(Plan {
                pipeline: planned.job.name().to_string(),
                schedule: planned.schedule.as_ref().map(|s| s.text().to_string()),
                next: planned
                    .next(&SystemClock, zone)
                    .map(|at| at.format("%Y-%m-%d %H:%M").to_string()),
                archive: planned.job.archive().map(|archive| archive.to_string()),
                steps: serde_json::from_value(nodes)?,
            })
        })
        .collect()
}

/// Without the code: as the pipelines were at their last run.
async fn of_ledger(flags: &Flags, args: &Args) -> Result<Vec<Plan>> {
    home::known(flags, None, args.pipeline.as_deref()).await?;
    let home = home::look(flags, None)?;
    let wanted = args.pipeline.clone();
    let rows = home
        .ledger()
        .read(move |read| {
            read.all(
                "SELECT p.name, l.body FROM tm_pipelines p JOIN tm_runs r USING (pipeline_no)
                   JOIN tm_plans l USING (plan_no)
                  WHERE r.run_no = (SELECT max(run_no) FROM tm_runs WHERE pipeline_no = p.pipeline_no)
                    AND (?1 IS NULL OR p.name = ?1) ORDER BY p.name",
                params![wanted],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
            )
        })
        .await?;
    rows.into_iter()
        .map(|(pipeline, body)| {
            let steps = serde_json::from_str(&body)?;
            Ok(Plan { pipeline, schedule: None, next: None, archive: None, steps })
        })
        .collect()
}

fn print(flags: &Flags, plan: &Plan) {
    let mut head = plan.pipeline.clone();
    if let (Some(schedule), Some(next)) = (&plan.schedule, &plan.next) {
        head.push_str(&format!(" · {schedule}, next {next}"));
    }
    out::result(flags, head);
    for (n, step) in plan.steps.iter().enumerate() {
        let version = if step.version > 0 { format!("@{}", step.version) } else { String::new() };
        let fills = step.fills.as_ref().map_or(String::new(), |name| format!(" → {name}"));
        out::result(
            flags,
            format!(
                "  {:>2}  {:<6} {:<16} yields {:<12} {}{fills}",
                n + 1,
                step.verb,
                format!("{}{version}", step.name),
                step.yields,
                step.memory
            ),
        );
    }
    if let Some(archive) = &plan.archive {
        out::result(flags, format!("      offload {archive}"));
    }
}
