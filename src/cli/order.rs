//! Changing a mill: by ourselves when nobody works in its home, else by asking its owner.

use super::flags::Flags;
use super::{home, out, shown};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tidemill_pipeline::clock::SystemClock;
use tidemill_pipeline::ledger::RunRow;
use tidemill_pipeline::serve::{Order, letters};
use tidemill_pipeline::{Error, Result};

/// How long an owner may take to look at an order.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has not begun by then waits for something.
const SOON: Duration = Duration::from_secs(2);

/// A line about a run that is followed comes so often.
const EVERY: Duration = Duration::from_secs(5);

/// Carries an order out, or lets the program do it that owns the home. The home must be there.
pub(super) async fn carry_out(flags: &Flags, place: &Path, order: Order) -> Result<Value> {
    let locked = match home::own(flags, place) {
        Ok(home) => return home.carry_out(order).await,
        Err(error) if error.reason() == "home_locked" => error,
        Err(error) => return Err(error),
    };
    if let Some(answer) = ask(flags, place, &order, &locked).await? {
        return Ok(answer);
    }
    // Nobody looked at it and it was withdrawn; perhaps because the owner has ended meanwhile.
    match home::own(flags, place) {
        Ok(home) => home.carry_out(order).await,
        Err(_) => Err(locked),
    }
}

/// Lets the owner of a home carry an order out, and follows the run that does it, if one does.
pub(super) async fn ask(
    flags: &Flags,
    place: &Path,
    order: &Order,
    locked: &Error,
) -> Result<Option<Value>> {
    out::remark(flags, format!("{}; it is asked to do this", locked.message()));
    let mut followed = Followed::default();
    let follow = |run: Option<&RunRow>| followed.look(flags, run);
    letters::give(place, order, &SystemClock, PATIENCE, follow).await
}

/// A run of another program, as it is followed here.
#[derive(Default)]
struct Followed {
    last: Option<Instant>,
    said: usize,
    /// Since when the order is in the owner's hands.
    taken: Option<Instant>,
    waits: bool,
}

impl Followed {
    fn look(&mut self, flags: &Flags, run: Option<&RunRow>) {
        if let Some(run) = run {
            return self.tell(flags, run);
        }
        let since = *self.taken.get_or_insert_with(Instant::now);
        if !self.waits && since.elapsed() > SOON {
            self.waits = true;
            out::remark(
                flags,
                "it waits for its turn, or takes its time; `status` shows what is at work",
            );
        }
    }

    fn tell(&mut self, flags: &Flags, run: &RunRow) {
        let told = shown::Told::by(run);
        for line in told.said.iter().skip(self.said) {
            out::remark(flags, out::plain(line));
        }
        self.said = self.said.max(told.said.len());
        match self.last {
            None => {
                out::remark(flags, format!("run {} is at work; Ctrl-C stops following it", run.id))
            }
            Some(last) if last.elapsed() < EVERY => return,
            Some(_) => {
                let through =
                    format!("{} of {}", told.settled(), out::count(told.recorded, "item"));
                out::remark(flags, format!("{through} through"));
            }
        }
        self.last = Some(Instant::now());
    }
}
