//! What the ledger knows, as numbers for Prometheus: its text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Names and counts only.

use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use tidemill_pipeline::Result;
use tidemill_pipeline::ledger::{OffloadRow, OffloadState, PipelineStatus, Read, ScheduleRow};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::Counts;

/// The type of the text, as HTTP names it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Reads the ledger, once, and writes the numbers down.
///
/// # Errors
/// When the ledger refuses.
pub async fn text(home: &Home) -> Result<String> {
    let file = home.ledger().path().to_path_buf();
    let now = home.clock().now();
    let wal_bytes = home.ledger().log().map_or(0, |(bytes, _)| bytes);
    let facts = home.ledger().read(move |read| Facts::of(read, now)).await?;
    Ok(facts.text(size(&file), wal_bytes))
}

/// What is read of the ledger.
struct Facts {
    pipelines: Vec<PipelineStatus>,
    runs: Vec<Runs>,
    durations: Vec<(String, i64)>,
    items: Vec<(String, Counts)>,
    /// Sets of files that are not in an archive, by pipeline.
    waiting: BTreeMap<String, u64>,
    schedules: Vec<Scheduled>,
    decisions: Vec<(String, String, u64)>,
    notices: u64,
    answers: u64,
}

/// The runs of a pipeline in one state.
struct Runs {
    pipeline: String,
    state: String,
    count: u64,
    /// When the last of them ended, or began when none has ended; milliseconds since 1970.
    last: i64,
}

/// A schedule: when it fires next, in milliseconds since 1970, and whether it is paused.
struct Scheduled {
    pipeline: String,
    next: Option<i64>,
    paused: bool,
}

const DECISIONS: &str = "SELECT s.pipeline, f.decision, count(*)
       FROM tm_firings f JOIN tm_schedules s USING (schedule_no)
      GROUP BY s.pipeline, f.decision ORDER BY s.pipeline, f.decision";

const NOTICES: &str =
    "SELECT count(*) FROM tm_notices WHERE sent_at IS NULL AND given_up_at IS NULL";

/// Trials are no runs that anybody counts.
const RUNS: &str = "SELECT p.name, r.state, count(*), max(coalesce(r.ended_at, r.started_at))
       FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
      WHERE r.trigger <> 'try' GROUP BY p.name, r.state ORDER BY p.name, r.state";

const DURATIONS: &str = "SELECT p.name, coalesce(json_extract(r.report, '$.millis'), r.ended_at - r.started_at)
       FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
      WHERE r.run_no IN (SELECT max(run_no) FROM tm_runs
              WHERE state IN ('published', 'finished') AND ended_at IS NOT NULL GROUP BY pipeline_no)
      ORDER BY p.name";

const ITEMS: &str =
    "SELECT p.name, json_extract(coalesce(r.report, r.progress, '{}'), '$.items')
       FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
      WHERE r.run_no IN (SELECT max(run_no) FROM tm_runs WHERE trigger <> 'try' GROUP BY pipeline_no)
      ORDER BY p.name";

impl Facts {
    fn of(read: &Read<'_>, now: DateTime<Utc>) -> Result<Self> {
        let pipelines = PipelineStatus::all(read)?;
        let mut waiting: BTreeMap<String, u64> =
            pipelines.iter().map(|status| (status.pipeline.clone(), 0)).collect();
        for row in OffloadRow::under_way(read, None)? {
            if matches!(row.state, OffloadState::Sealed | OffloadState::Planned) {
                *waiting.entry(row.pipeline).or_default() += 1;
            }
        }
        let answers = read.one("SELECT count(*) FROM tm_calls", [], |row| row.get(0))?;
        Ok(Self {
            pipelines,
            runs: runs(read)?,
            durations: read.all(DURATIONS, [], |row| Ok((row.get(0)?, row.get(1)?)))?,
            items: items(read)?,
            waiting,
            schedules: ScheduleRow::all(read)?.iter().map(|row| scheduled(row, now)).collect(),
            decisions: read
                .all(DECISIONS, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?,
            notices: read.one(NOTICES, [], |row| row.get(0))?.unwrap_or(0),
            answers: answers.unwrap_or(0),
        })
    }

    fn text(&self, ledger_bytes: u64, wal_bytes: u64) -> String {
        let mut page = Page::default();
        page.family("build_info", "The program; its value is always 1.");
        page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.of_runs(&mut page);
        self.of_pipelines(&mut page);
        self.of_schedules(&mut page);
        let mut one = |name, help, value: u64| {
            page.family(name, help);
            page.sample(&[], value);
        };
        one("ledger_bytes", "Size of the ledger's file.", ledger_bytes);
        one("wal_bytes", "Size of the ledger's write-ahead log.", wal_bytes);
        one("notices_waiting", "Notices that have not arrived yet.", self.notices);
        one("model_answers", "Answers of models that are kept.", self.answers);
        let at_work = self.runs.iter().filter(|runs| runs.state == "running");
        one("runs_at_work", "Runs that are at work now.", at_work.map(|runs| runs.count).sum());
        page.0
    }

    fn of_runs(&self, page: &mut Page) {
        page.family("runs", "Runs that the ledger knows, by how far they are.");
        for Runs { pipeline, state, count, .. } in &self.runs {
            page.sample(&[("pipeline", pipeline), ("state", state)], count);
        }
        page.family(
            "last_run_timestamp_seconds",
            "When the last run in this state ended, or began when none has ended.",
        );
        for Runs { pipeline, state, last, .. } in &self.runs {
            page.sample(&[("pipeline", pipeline), ("state", state)], seconds(*last));
        }
        page.family("last_run_duration_seconds", "How long the last published run took.");
        for (pipeline, millis) in &self.durations {
            page.sample(&[("pipeline", pipeline)], seconds(*millis));
        }
        page.family("run_items", "Items of the newest run, by where they ended so far.");
        for (pipeline, items) in &self.items {
            let states = [
                ("done", items.done),
                ("unchanged", items.unchanged),
                ("waiting", items.waiting),
                ("parked", items.parked),
            ];
            for (state, count) in states {
                page.sample(&[("pipeline", pipeline), ("state", state)], count);
            }
        }
    }

    fn of_pipelines(&self, page: &mut Page) {
        page.family("items", "Items by what the ledger knows of them now.");
        for status in &self.pipelines {
            let states = [
                ("known", status.known),
                ("stale", status.stale),
                ("waiting", status.waiting),
                ("parked", status.parked),
            ];
            for (state, count) in states {
                page.sample(&[("pipeline", &status.pipeline), ("state", state)], count);
            }
        }
        page.family("offload_waiting", "Datasets of runs that are not in an archive yet.");
        for (pipeline, count) in &self.waiting {
            page.sample(&[("pipeline", pipeline)], count);
        }
        page.family("archived_bytes", "Bytes in archives.");
        for status in &self.pipelines {
            page.sample(&[("pipeline", &status.pipeline)], status.archived_bytes);
        }
    }

    fn of_schedules(&self, page: &mut Page) {
        page.family("schedule_next_timestamp_seconds", "When the schedule fires next.");
        for Scheduled { pipeline, next, .. } in &self.schedules {
            if let Some(next) = next {
                page.sample(&[("pipeline", pipeline)], seconds(*next));
            }
        }
        page.family("schedule_paused", "1 while the schedule is paused.");
        for Scheduled { pipeline, paused, .. } in &self.schedules {
            page.sample(&[("pipeline", pipeline)], u8::from(*paused));
        }
        page.family("schedule_decisions", "Decisions that are kept, by what was decided.");
        for (pipeline, decision, count) in &self.decisions {
            page.sample(&[("pipeline", pipeline), ("decision", decision)], count);
        }
    }
}

fn scheduled(row: &ScheduleRow, now: DateTime<Utc>) -> Scheduled {
    let next = row.next(now).map(|firing| firing.fire_at.timestamp_millis());
    Scheduled { pipeline: row.pipeline.clone(), next, paused: row.paused_at.is_some() }
}

fn runs(read: &Read<'_>) -> Result<Vec<Runs>> {
    read.all(RUNS, [], |row| {
        Ok(Runs {
            pipeline: row.get(0)?,
            state: row.get(1)?,
            count: row.get(2)?,
            last: row.get(3)?,
        })
    })
}

/// A run that has said nothing yet has no item anywhere.
fn items(read: &Read<'_>) -> Result<Vec<(String, Counts)>> {
    read.all(ITEMS, [], |row| {
        let items: Option<String> = row.get(1)?;
        let items = items.and_then(|json| serde_json::from_str(&json).ok());
        Ok((row.get(0)?, items.unwrap_or_default()))
    })
}

/// The bytes of a file; one that is not there has none.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |meta| meta.len())
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// The text, and the name of the family that is being written.
#[derive(Default)]
struct Page(String, &'static str);

impl Page {
    /// Begins a family; all of ours can go up and down.
    fn family(&mut self, name: &'static str, help: &str) {
        self.1 = name;
        self.0 += &format!("# HELP tidemill_{name} {help}\n# TYPE tidemill_{name} gauge\n");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let pair = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels = labels.iter().map(pair).collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        self.0 += &format!("tidemill_{}{labels} {value}\n", self.1);
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.family("x", "Some help.");
        page.sample(&[("a", "q\"\\\nz"), ("b", "é")], 1.5);
        page.sample(&[], 2);
        let lines: Vec<_> = page.0.lines().collect();
        assert_eq!(lines[1], "# TYPE tidemill_x gauge");
        assert_eq!(lines[2], r#"tidemill_x{a="q\"\\\nz",b="é"} 1.5"#);
        assert_eq!(lines[3], "tidemill_x 2");
    }
}
