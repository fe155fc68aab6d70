//! Progress: a bar on a terminal, a line now and then elsewhere, nothing with `--json`; and all of
//! it in the run's log.

use super::flags::{Flags, LogFormat};
use super::{log, out};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tidemill_pipeline::ledger::{ItemState, params};
use tidemill_pipeline::mill::Home;
use tidemill_pipeline::run::{Event, Progress};

/// Where nothing can be drawn, a line about the counts at most so often.
const EVERY: Duration = Duration::from_secs(10);

/// How wide the bar is, in characters.
const WIDTH: u64 = 24;

/// How a run is shown while it is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Drawn,
    Lines,
    Nothing,
}

/// Shows what a run tells.
pub(super) struct Bar {
    flags: Flags,
    home: Arc<Home>,
    shown: Shown,
    bar: ProgressBar,
    seen: Arc<Seen>,
    last_line: Mutex<Instant>,
}

/// What was told so far.
#[derive(Debug, Default)]
struct Seen {
    begun: OnceLock<Instant>,
    recorded: AtomicU64,
    settled: AtomicU64,
    aside: AtomicU64,
    unchanged: AtomicU64,
    source_done: AtomicBool,
    phase: Mutex<Option<&'static str>>,
}

impl Bar {
    pub(super) fn new(flags: &Flags, home: &Arc<Home>) -> Self {
        // Log collectors find the progress among the logs.
        let silent = flags.json || flags.quiet || flags.log_format == LogFormat::Json;
        let shown = match (silent, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Drawn,
            (false, false) => Shown::Lines,
        };
        let seen = Arc::new(Seen::default());
        Self {
            flags: flags.clone(),
            home: Arc::clone(home),
            bar: if shown == Shown::Drawn { drawn(&seen) } else { ProgressBar::hidden() },
            shown,
            seen,
            last_line: Mutex::new(Instant::now()),
        }
    }

    /// Takes the moving line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Says a line above the bar.
    fn say(&self, text: &str) {
        if self.shown != Shown::Nothing {
            self.bar.suspend(|| out::remark(&self.flags, text));
        }
    }

    fn begun(&self, run: &str, resumed: bool, carried: u64) {
        if resumed || carried > 0 {
            // What is in hand already is not recorded once more.
            let open = "SELECT count(*) FROM tm_items i JOIN tm_runs r USING (run_no)
                         WHERE r.id = ?1 AND i.state IN (0, 2, 3) AND i.state = 0";
            let open = self
                .home
                .ledger()
                .read_now(|read| read.one(open, params![run], |row| row.get::<_, u64>(0)));
            self.seen.recorded.store(open.ok().flatten().unwrap_or(carried), Relaxed);
        }
        // Set once: a bar shows one run.
        let _ = self.seen.begun.set(Instant::now());
        *self.seen.phase() = None;
        let how = if resumed { "goes on" } else { "begun" };
        let first = match carried {
            0 => String::new(),
            n => format!(", {} that waited first", out::count(n, "item")),
        };
        self.say(&format!("run {run} {how}{first}"));
    }

    fn settled(&self, state: ItemState, key: &str, reason: Option<&str>) {
        let counter =
            if state == ItemState::Unchanged { &self.seen.unchanged } else { &self.seen.settled };
        counter.fetch_add(1, Relaxed);
        let aside = matches!(state, ItemState::Parked | ItemState::Waiting);
        if !aside || reason == Some("interrupted") {
            return; // what a signal cut short comes again when the run goes on
        }
        self.seen.aside.fetch_add(1, Relaxed);
        let (key, reason) = (out::short(key, 200), reason.unwrap_or("no reason"));
        let how = if state == ItemState::Parked { "parked" } else { "waiting" };
        if self.flags.verbose > 0 {
            self.say(&format!("  {how} {} {reason}", out::short(&key, 80)));
        }
    }

    fn phase(&self, phase: &str) {
        let words = in_words(phase);
        // Before the run has begun, what an earlier one left undone is made up for.
        if self.seen.begun.get().is_some() && self.shown == Shown::Lines {
            self.say(words);
        }
        *self.seen.phase() = Some(words);
    }

    /// A line about the counts, where nothing is drawn and the last one was a while ago.
    fn now_and_then(&self) {
        if self.shown != Shown::Lines {
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            self.say(&self.seen.line(false));
        }
    }
}

impl Progress for Bar {
    fn event(&self, event: &Event<'_>) {
        note(event);
        match event {
            Event::Begun { run, resumed, carried } => self.begun(run, *resumed, *carried),
            Event::Said(line) => {
                self.say(&out::plain(line));
            }
            Event::Recorded => {
                self.seen.recorded.fetch_add(1, Relaxed);
            }
            Event::SourceDone => self.seen.source_done.store(true, Relaxed),
            Event::Settled { state, key, reason } => self.settled(*state, key, *reason),
            Event::Phase(phase) => self.phase(phase),
            _ => return,
        }
        self.now_and_then();
    }
}

/// Writes into the run's log what is shown otherwise: what the run said, its phases, and the items
/// that did not get through.
pub(super) fn note(event: &Event<'_>) {
    match event {
        Event::Said(line) => tracing::info!(target: log::SHOWN, "{}", out::plain(line)),
        Event::Phase(phase) => tracing::info!(target: log::SHOWN, phase, "{}", in_words(phase)),
        Event::Settled { state: state @ (ItemState::Parked | ItemState::Waiting), key, reason }
            if *reason != Some("interrupted") =>
        {
            let (key, reason) = (out::short(key, 200), reason.unwrap_or("no reason"));
            let how = if *state == ItemState::Parked { "parked" } else { "waiting" };
            tracing::info!(target: log::SHOWN, key, reason, "item {how}");
        }
        _ => {}
    }
}

/// A bar that draws what was told whenever it ticks: an event only counts.
fn drawn(seen: &Arc<Seen>) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let told = Arc::clone(seen);
    // The template is a constant; where it could not be read the default does as well.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {told}") {
        let draw = move |_: &indicatif::ProgressState, line: &mut dyn std::fmt::Write| {
            // A line that cannot be formatted is not drawn; there is nobody to tell.
            let _ = write!(line, "{}", told.line(true));
        };
        bar.set_style(style.with_key("told", draw));
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn in_words(phase: &str) -> &'static str {
    match phase {
        "seal" => "sealing the files",
        "publish" => "publishing",
        "snapshot" => "snapshot of the tables",
        "offload" => "copying to the archive, reading back, comparing",
        "retention" => "applying the retention policy",
        _ => "finishing",
    }
}

impl Seen {
    fn phase(&self) -> std::sync::MutexGuard<'_, Option<&'static str>> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        self.begun.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// How far the run is, in a line of fewer than 80 characters.
    fn line(&self, drawn: bool) -> String {
        if let Some(phase) = *self.phase() {
            return phase.into();
        }
        let (recorded, settled) = (self.recorded.load(Relaxed), self.settled.load(Relaxed));
        let mut line = match settled <= recorded {
            true => format!("{settled} of {} through", out::count(recorded, "item")),
            false => format!("{} through", out::count(settled, "item")), // `flatten` makes more
        };
        for (n, what) in [(&self.aside, "set aside"), (&self.unchanged, "unchanged")] {
            match n.load(Relaxed) {
                0 => {}
                n => line.push_str(&format!(", {n} {what}")),
            }
        }
        if !self.source_done.load(Relaxed) {
            return line;
        }
        if let Some(left) = left(recorded, settled, self.elapsed()) {
            line.push_str(&format!(", about {left} left"));
        }
        if drawn { format!("{} {line}", filled(recorded, settled)) } else { line }
    }
}

/// How long what is left takes, if it goes on as it went so far: `22 s`, `3 min`, `1 h 10 min`.
pub(super) fn left(recorded: u64, settled: u64, so_far: Duration) -> Option<String> {
    let open = recorded.checked_sub(settled).filter(|open| *open > 0)?;
    if settled == 0 {
        return None;
    }
    let seconds = so_far.as_secs_f64() * open as f64 / settled as f64;
    let minutes = (seconds / 60.0).round() as u64;
    Some(match minutes {
        0 | 1 => format!("{:.0} s", seconds.max(1.0)),
        2..60 => format!("{minutes} min"),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    })
}

/// `[████░░░░]`, as far as the run is.
fn filled(recorded: u64, settled: u64) -> String {
    let full = (WIDTH * settled.min(recorded)).checked_div(recorded).unwrap_or(WIDTH);
    let part = |n: u64, of: &str| of.repeat(usize::try_from(n).unwrap_or(0));
    format!("[{}{}]", part(full, "█"), part(WIDTH - full, "░"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_once_the_source_is_done() {
        let seen = Seen::default();
        seen.recorded.store(40, Relaxed);
        seen.settled.store(10, Relaxed);
        assert_eq!(seen.line(true), "10 of 40 items through");
        seen.source_done.store(true, Relaxed);
        seen.aside.store(1, Relaxed);
        let line = seen.line(true);
        assert!(line.starts_with("[██████░░░░░░░░░░░░░░░░░░] 10 of 40 items through, 1 set aside"));
        assert!(line.contains(" left") && line.chars().count() < 80, "{line}");
    }

    #[test]
    fn nothing_is_promised_before_something_is_through() {
        assert_eq!(left(40, 0, Duration::from_secs(9)), None);
        assert_eq!(left(40, 40, Duration::from_secs(9)), None);
        assert_eq!(left(40, 41, Duration::from_secs(9)), None);
        let left = |seconds| left(40, 10, Duration::from_secs(seconds)).unwrap();
        assert_eq!([left(20), left(60), left(2400)], ["60 s", "3 min", "2 h 00 min"]);
    }

    #[test]
    fn the_bar_is_as_wide_at_any_time() {
        for (recorded, settled) in [(0, 0), (3, 0), (3, 2), (3, 3), (3, 9)] {
            assert_eq!(filled(recorded, settled).chars().count() as u64, WIDTH + 2);
        }
    }
}
