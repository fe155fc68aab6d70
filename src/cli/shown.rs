//! How a run is shown: its state, its counts, its time, its steps, and which of them was slowest.

use super::out;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::path::Path;
use tidemill_pipeline::Result;
use tidemill_pipeline::ledger::{OffloadRow, OffloadState, RunRow, RunState};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::{Counts, RunReport, StepReport};

/// What a run told of itself: its report, or the pulse of one that has none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) recorded: u64,
    pub(super) items: Counts,
    pub(super) carried: u64,
    pub(super) calls_made: Option<u64>,
    pub(super) calls_remembered: u64,
    pub(super) changed_rows: u64,
    pub(super) repeated_keys: u64,
    pub(super) steps: Vec<StepReport>,
    pub(super) said: Vec<String>,
    pub(super) halted: Option<String>,
    pub(super) reasons: Vec<(String, u64)>,
    pub(super) millis: Option<u64>,
}

impl Told {
    pub(super) fn by(run: &RunRow) -> Self {
        let report = run.report.clone().unwrap_or_default();
        serde_json::from_value(report).unwrap_or_default() // an older one says what it can
    }

    pub(super) fn of(report: &RunReport) -> Result<Self> {
        Ok(serde_json::from_value(serde_json::to_value(report)?)?)
    }

    /// Items that are through or set aside, without those that are unchanged.
    pub(super) fn settled(&self) -> u64 {
        self.items.done + self.items.waiting + self.items.parked
    }
}

/// A run is at work only while its owner lives.
pub(super) fn look_alive(run: &mut RunRow, now: DateTime<Utc>) {
    let alive = run.owner.as_ref().is_some_and(|owner| owner.is_alive(now));
    if run.state == RunState::Running && !alive {
        run.state = RunState::Interrupted;
    }
}

/// The newest runs, each as it really is.
pub(super) async fn newest(home: &Home, pipeline: Option<&str>, count: u32) -> Result<Vec<RunRow>> {
    let (pipeline, now) = (pipeline.map(str::to_string), home.clock().now());
    let ledger = home.ledger();
    let mut runs =
        ledger.read(move |read| RunRow::newest(read, pipeline.as_deref(), count)).await?;
    runs.iter_mut().for_each(|run| look_alive(run, now));
    Ok(runs)
}

pub(super) fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Interrupted => "interrupted",
        RunState::Trial => "trial",
        RunState::RolledBack => "rolled back",
        RunState::Halted => "halted",
        RunState::Abandoned => "abandoned",
        RunState::Published => "published",
        RunState::Finished => "finished",
    }
}

/// `12 done · 3 parked`: what is zero is left out, but for the first.
pub(super) fn counts(items: &Counts) -> String {
    let mut parts = vec![format!("{} done", items.done)];
    let others =
        [(items.unchanged, "unchanged"), (items.waiting, "waiting"), (items.parked, "parked")];
    let others = others.into_iter().filter(|(n, _)| *n > 0);
    parts.extend(others.map(|(n, what)| format!("{n} {what}")));
    parts.join(" · ")
}

/// How long a run took, in its last attempt if that is known, or takes so far; in milliseconds.
pub(super) fn took(run: &RunRow, told: &Told, now: DateTime<Utc>) -> u64 {
    let end = match (run.state, run.ended_at, &run.owner) {
        (RunState::Running, ..) => now.timestamp_millis(),
        (_, Some(end), _) => end,
        (_, None, Some(owner)) => owner.beat_at,
        (_, None, None) => run.started_at,
    };
    let whole = u64::try_from(end.saturating_sub(run.started_at)).unwrap_or(0);
    told.millis.unwrap_or(whole)
}

/// Why items wait or are parked, a line each; what a bound of the run did is said in words.
pub(super) fn reasons(told: &Told) -> Vec<String> {
    let line = |(reason, n): &(String, u64)| match reason.as_str() {
        "limit" => format!("limit × {n}: over the run's limit; later runs take them first"),
        "until" => format!("until × {n}: the run's time was up; the next run takes them first"),
        _ => format!("{reason} × {n}"),
    };
    told.reasons.iter().map(line).collect()
}

/// Runs, a line each: id, pipeline where there are several, state, time, counts.
pub(super) fn list(runs: &[RunRow], now: DateTime<Utc>) -> Vec<String> {
    let several = runs.windows(2).any(|pair| pair[0].pipeline != pair[1].pipeline);
    let cells = |run: &RunRow| {
        let told = Told::by(run);
        let pipeline = if several { out::short(&run.pipeline, 16) + "  " } else { String::new() };
        let attempt = match run.attempt {
            0 | 1 => String::new(),
            n => format!(" · attempt {n}"),
        };
        let took = out::span(took(run, &told, now) as f64);
        let replay = run.replay.as_ref();
        let replay = replay.map_or(String::new(), |replay| format!(" · replay {replay}"));
        [pipeline, state(run.state).to_string(), took, counts(&told.items) + &attempt + &replay]
    };
    let rows: Vec<_> = runs.iter().map(|run| (&run.id, cells(run))).collect();
    let wide = |cell: usize| rows.iter().map(|(_, row)| row[cell].chars().count()).max();
    let [a, b, c] = [0, 1, 2].map(|cell| wide(cell).unwrap_or(0));
    let line = |(id, [pipeline, state, took, counts]): &(&String, [String; 4])| {
        format!("{id:<23}  {pipeline:<a$}{state:<b$}  {took:>c$}  {counts}")
    };
    rows.iter().map(line).collect()
}

/// The steps, a line each below a head.
pub(super) fn table(steps: &[StepReport]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<18} {:>8} {:>12} {:>12}  {}",
        "step", "items", "p50", "p95", "way out full"
    )];
    for step in steps {
        let full = if step.full_ms == 0 { "-".into() } else { out::span(step.full_ms as f64) };
        // A source is asked for its items all at once: it has no times of its own.
        let times = match step.items {
            0 => ["-".to_string(), "-".into(), "-".into()],
            n => [n.to_string(), out::span(step.p50_ms), out::span(step.p95_ms)],
        };
        let [items, p50, p95] = times;
        let name = out::short(&step.name, 18);
        lines.push(format!("{name:<18} {items:>8} {p50:>12} {p95:>12}  {full}"));
    }
    lines
}

/// Which step the others waited for, when they waited for a second or more.
pub(super) fn slowest(steps: &[StepReport]) -> Option<String> {
    const NOTICED: u64 = 1000;
    let ways = steps.iter().enumerate().filter(|(_, step)| step.full_ms >= NOTICED);
    // Of ways that were full for equally long the last one leads to the step that held all up.
    let (no, before) = ways.max_by_key(|(no, step)| (step.full_ms, *no))?;
    let full = out::span(before.full_ms as f64);
    let slow = steps.get(no + 1).map_or("the ledger, at the end of the chain,", |step| &step.name);
    Some(format!("the slowest step was {slow}: the way to it was full for {full}"))
}

/// Where a run's files are, a line each.
pub(super) fn files(home: &Path, rows: &[OffloadRow]) -> Vec<String> {
    let line = |row: &OffloadRow| {
        let what = format!("{}: {}", row.dataset, out::count(row.files, "file"));
        let size = out::bytes(row.bytes);
        let archive = row.root.as_deref().unwrap_or_default();
        let place = match &row.folder {
            Some(folder) => Path::new(archive).join(folder).display().to_string(),
            None => format!("{}/scratch", home.display()),
        };
        let why =
            row.note.as_deref().map_or(String::new(), |why| format!(" ({})", out::plain(why)));
        match row.state {
            OffloadState::Done => format!("{what}, {size}\n        {place}"),
            OffloadState::Retired => {
                format!(
                    "{what}, {size}, read again at the next run
        {place}"
                )
            }
            OffloadState::Pruned => {
                format!("{}: taken out of the archive by retention", row.dataset)
            }
            _ => format!("{}: waits on scratch{why}", row.dataset),
        }
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, full_ms: u64) -> StepReport {
        StepReport { name: name.into(), items: 3, p50_ms: 1.2, p95_ms: 1500.0, full_ms }
    }

    #[test]
    fn the_step_behind_the_fullest_way_is_the_slowest() {
        let steps = [step("read", 12_000), step("extract", 12_000), step("summarise", 0)];
        let said = slowest(&steps).unwrap();
        assert_eq!(said, "the slowest step was summarise: the way to it was full for 12.0 s");
        assert_eq!(slowest(&[step("read", 400), step("extract", 0)]), None);
        assert!(slowest(&[step("table", 2000)]).unwrap().contains("the ledger"));
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let lines = table(&[step("a-step-with-a-very-long-name-indeed", 3_600_000), step("b", 0)]);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.chars().count() <= 72), "{lines:#?}");
    }

    #[test]
    fn what_a_bound_held_back_is_said_in_words() {
        let told =
            Told { reasons: vec![("limit".into(), 5), ("http_404".into(), 1)], ..Told::default() };
        let lines = reasons(&told);
        assert!(lines[0].starts_with("limit × 5: over the run's limit"), "{lines:?}");
        assert_eq!(lines[1], "http_404 × 1");
    }
}
