//! The long set: ten thousand items, hundreds of kills, homes that are killed on and on.

use super::yard::Yard;
use super::{judge, points, unbroken};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An answer that was sent longer than this before a kill from outside must be in the ledger.
const FRESH: Duration = Duration::from_millis(50);

/// Other numbers in this variable are other kills.
const SEED: &str = "TIDEMILL_CRASH_SEED";

/// Points that are passed again and again while items move, with about how often per item.
const MIDDLE: [(&str, f64); 5] = [
    ("ledger.begun", 0.5),
    ("ledger.committed", 0.5),
    ("call.answered", 1.0),
    ("call.journaled", 1.0),
    ("step.done", 2.0),
];

#[test]
#[ignore = "minutes; run it with --release and --nocapture"]
fn hundreds_of_kills_lose_and_double_nothing() {
    let begun = Instant::now();
    let mut tally = Tally::default();
    let seed = std::env::var(SEED).map_or(20_261_120, |seed| seed.parse().unwrap());
    eprintln!("{SEED}={seed}");
    let mut dice = Dice(seed);
    tally.add(&one_long_run(10_000, 150, &mut dice));
    for _ in 0..4 {
        tally.add(&many_short_runs(60, 40, &mut dice));
    }
    tally.print(begun.elapsed());
    assert!(tally.kills() >= 200, "only {} kills", tally.kills());
    for point in points() {
        assert!(tally.deaths.contains_key(point), "nobody was killed at {point}");
    }
    let oldest = tally.oldest();
    assert!(oldest <= FRESH, "an answer was sent {oldest:?} before a kill, and lost");
}

/// One run that is killed so often in its middle, then once at each point of its end.
fn one_long_run(items: usize, kills: usize, dice: &mut Dice) -> Yard {
    let mut yard = Yard::new();
    for left in (1..=kills).rev() {
        let open = items - yard.journal.len();
        assert!(middle(&mut yard, items, open / (left + 8), dice), "it went through too soon");
    }
    for point in ends() {
        assert!(yard.killed_at(items, point, 1), "it never came to {point}");
    }
    yard.through(items);
    yard
}

/// A home that is killed at any points in any order. Whenever a run went through, the source has
/// some items more.
fn many_short_runs(strikes: usize, more: usize, dice: &mut Dice) -> Yard {
    let mut yard = Yard::new();
    let ends: Vec<_> = ends().collect();
    let mut items = more;
    for _ in 0..strikes {
        let died = match ends.get(dice.below(ends.len() as u64 * 3 / 2) as usize) {
            // Each dataset comes to the points of its offload: now and then the second one's turn.
            Some(point) => yard.killed_at(items, point, 1 + dice.below(4) / 3),
            None => middle(&mut yard, items, more / 4, dice),
        };
        items += if died { 0 } else { more };
    }
    yard.through(items);
    yard
}

/// Kills the run after about so many items more, at a point or from outside. False when it went
/// through, or has nothing more to ask for.
fn middle(yard: &mut Yard, items: usize, about: usize, dice: &mut Dice) -> bool {
    let reach = 2 * about as u64;
    let open = (items - yard.journal.len()) as u64;
    if let Some((point, per_item)) = MIDDLE.get(dice.below(7) as usize) {
        let n = 1 + dice.below((reach as f64 * per_item) as u64);
        return yard.killed_at(items, point, n);
    }
    if open == 0 {
        yard.through(items); // a run that is at its end takes no new items
        return false;
    }
    let k = 1 + dice.below(reach.min(open)) as usize;
    yard.killed_in_call(items, k, Duration::from_micros(dice.below(20_000)))
}

/// Points that a run passes at its end.
fn ends() -> impl Iterator<Item = &'static str> {
    points().filter(|point| MIDDLE.iter().all(|(name, _)| name != point))
}

/// Numbers that are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    /// From 0 to one less than `bound`; 0 when there is no such number.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(bound).unwrap_or(0)
    }
}

/// What all of it came to.
#[derive(Default)]
struct Tally {
    /// Kills and lost answers, by point.
    deaths: BTreeMap<String, (usize, usize)>,
    items: usize,
    calls: usize,
    repeated: usize,
    /// How old lost answers were at kills from outside.
    ages: Vec<Duration>,
}

impl Tally {
    /// Judges a home at its end, against an unbroken run, and counts.
    fn add(&mut self, yard: &Yard) {
        let items = yard.sizes.iter().max().map_or(0, |items| *items);
        self.ages.extend(judge::at_end(yard, &unbroken(items)));
        for death in &yard.deaths {
            let point = death.point.as_deref().unwrap_or("from outside");
            let (kills, lost) = self.deaths.entry(point.to_owned()).or_default();
            *kills += 1;
            *lost += death.lost;
        }
        self.items += items;
        self.calls += yard.ollama.calls();
        self.repeated += yard.ollama.prompts().iter().map(|p| p.started - 1).sum::<usize>();
    }

    fn kills(&self) -> usize {
        self.deaths.values().map(|(kills, _)| kills).sum()
    }

    fn oldest(&self) -> Duration {
        self.ages.iter().max().copied().unwrap_or_default()
    }

    fn print(&self, took: Duration) {
        eprintln!("{:<20} {:>6} {:>13}", "killed at", "kills", "answers lost");
        for (point, (kills, lost)) in &self.deaths {
            eprintln!("{point:<20} {kills:>6} {lost:>13}");
        }
        eprintln!(
            "{} items, {} kills, {} answers sent, {} calls repeated, none of them after its answer was in the ledger",
            self.items,
            self.kills(),
            self.calls,
            self.repeated
        );
        eprintln!("the oldest lost answer: {:?} before its kill; {took:.1?} in all", self.oldest());
    }
}
