//! Progress: a line that moves on a terminal, plain lines elsewhere.

use super::flags::Flags;
use super::out;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tidemill_pipeline::ledger::ItemState;
use tidemill_pipeline::run::{Event, Progress};

/// Draws what a run tells.
pub(super) struct Bar {
    bar: ProgressBar,
    drawn: bool,
    flags: Flags,
    recorded: AtomicU64,
    settled: AtomicU64,
    aside: AtomicU64,
}

impl Bar {
    pub(super) fn new(flags: &Flags) -> Self {
        let drawn = std::io::stderr().is_terminal() && !flags.quiet;
        let bar = if drawn { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        // The template is a constant; where it could not be read the default does as well.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        if drawn {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self {
            bar,
            drawn,
            flags: flags.clone(),
            recorded: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            aside: AtomicU64::new(0),
        }
    }

    /// Takes the moving line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn redraw(&self) {
        let (recorded, settled) = (self.recorded.load(Relaxed), self.settled.load(Relaxed));
        let aside = match self.aside.load(Relaxed) {
            0 => String::new(),
            n => format!(", {n} set aside"),
        };
        self.bar
            .set_message(format!("{settled} of {} through{aside}", out::count(recorded, "item")));
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| out::remark(&self.flags, text));
    }
}

impl Progress for Bar {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Begun { run, resumed, carried } => {
                let how = if *resumed { "goes on" } else { "begun" };
                let first = match carried {
                    0 => String::new(),
                    n => format!(", {} that waited first", out::count(*n, "item")),
                };
                self.say(&format!("run {run} {how}{first}"));
            }
            Event::Said(line) => self.say(&out::plain(line)),
            Event::Recorded => {
                self.recorded.fetch_add(1, Relaxed);
            }
            Event::Settled { state, key, reason } => {
                if *state != ItemState::Unchanged {
                    self.settled.fetch_add(1, Relaxed);
                }
                if matches!(state, ItemState::Parked | ItemState::Waiting) {
                    self.aside.fetch_add(1, Relaxed);
                    if self.flags.verbose > 0 {
                        let reason = reason.unwrap_or("no reason");
                        self.say(&format!("  {} {reason}", out::short(key, 80)));
                    }
                }
            }
            Event::Phase(phase) => {
                self.bar.set_message((*phase).to_string());
                return;
            }
            _ => {}
        }
        if self.drawn {
            self.redraw();
        }
    }
}
