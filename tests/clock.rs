//! Promise: a schedule fires once for each time that was meant, whatever the clocks do, and a bad
//! one is told what is wrong with it.

mod audit;
mod dice;
mod facts;
mod interval;
mod model;
mod next;
mod random;
mod wrong;

use chrono::{DateTime, Utc};
use tidemill_pipeline::clock::{Firing, Schedule, Zone};

/// An instant, as RFC 3339.
fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// The firings of a schedule in `from < fire_at < until`, each asked for from the one before.
fn firings(
    schedule: &Schedule,
    zone: Zone,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> impl Iterator<Item = Firing> {
    let mut after = from;
    std::iter::from_fn(move || {
        let firing = schedule.next(after, zone, from)?;
        assert!(firing.fire_at > after, "{} goes back from {after}", schedule.text());
        after = firing.fire_at;
        (after < until).then_some(firing)
    })
}
