//! The pick: which versions on the shelf a replay works on, and why not the others.

use super::filter::Filter;
use super::selection::{Only, Selection};
use super::shelf::Shelf;
use crate::Result;
use crate::build::{Node, Reentry};
use crate::ledger::{Done, Read, Why, replays};
use crate::run::reenter::Replaying;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the ledger knows of the keys of a pipeline, by their hashes.
#[derive(Default)]
pub(crate) struct Known {
    keys: HashMap<u128, Standing>,
    parked: BTreeSet<u128>,
    dropped: BTreeSet<u128>,
    /// Runs whose files of the dataset are not in the archive yet.
    on_the_way: BTreeSet<i64>,
    /// Published runs: the number, and the id.
    runs: BTreeMap<i64, String>,
    chains: Done,
}

#[derive(Clone, Copy)]
struct Standing {
    run_no: i64,
    plan_no: i64,
    done: bool,
    made_by: i64,
    content_since: i64,
}

impl Known {
    /// Reads it; empty for a pipeline that never ran.
    pub(crate) fn read(
        read: &Read<'_>,
        pipeline: &str,
        pipeline_no: i64,
        dataset: &str,
    ) -> Result<Self> {
        let mut keys = HashMap::new();
        replays::each_known(read, pipeline_no, |standing| {
            let replays::Standing { key, run_no, plan_no, done, made_by, content_since } = standing;
            let standing = Standing { run_no, plan_no, done, made_by, content_since };
            keys.insert(hash(key), standing);
        })?;
        let (parked, dropped) = replays::set_aside(read, pipeline_no)?;
        let hashes = |keys: Vec<String>| keys.iter().map(|key| hash(key)).collect();
        Ok(Self {
            keys,
            parked: hashes(parked),
            dropped: hashes(dropped),
            on_the_way: replays::on_the_way(read, pipeline, dataset)?.into_iter().collect(),
            runs: replays::published(read, pipeline_no)?,
            chains: Done::chains(read, pipeline)?,
        })
    }
}

impl Known {
    /// The oldest run that is known to have had a key's content of now.
    pub(crate) fn content_since(&self, key: u128) -> Option<i64> {
        self.keys.get(&key).map(|standing| standing.content_since)
    }

    /// Whether a newer version than those in the archive was done: its files are still on scratch.
    fn has_newer(&self, key: u128) -> bool {
        !self.on_the_way.is_empty()
            && self.keys.get(&key).is_some_and(|known| self.on_the_way.contains(&known.made_by))
    }

    /// Whether a step between the entry of a replay and this place is other than in the chain that did
    /// an item.
    pub(crate) fn is_other_between(
        &self,
        plan_no: i64,
        replaying: &Replaying,
        place: usize,
    ) -> bool {
        let other = self.chains.behind(plan_no, &replaying.today, replaying.reentry.no);
        other.iter().any(|(at, ..)| *at < place)
    }
}

/// 128 bits of BLAKE3 stand for a key: two keys of one hash do not occur.
pub(crate) fn hash(key: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// An item that is picked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pick {
    pub(crate) key: u128,
    /// Where it is in its run's folder.
    pub(crate) place: u64,
    /// The chain of steps that did it last, and whether something before a step is new to it.
    pub(crate) plan_no: Option<i64>,
    /// The archive has a newer version than the one that was done.
    pub(crate) newer: bool,
}

/// What a replay works on.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    /// By run, in the order in which they are worked on: the run's place on the shelf, and its items
    /// in the order of their places.
    pub(crate) runs: Vec<(usize, Vec<Pick>)>,
    /// Versions in the range.
    pub(crate) versions: u64,
    /// Those of which the archive has a newer one.
    pub(crate) superseded: u64,
    /// Those that the expression leaves out.
    pub(crate) filtered: u64,
    /// The others, by what became of them before; one of these kinds is meant, or all.
    pub(crate) kinds: Kinds,
    /// Those over the limit.
    pub(crate) over: u64,
    /// Why items that were done are done again: place, step, reason.
    pub(crate) why: BTreeMap<(usize, String, Why), u64>,
}

/// What became of archived items before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kinds {
    /// Never through.
    pub missing: u64,
    /// Parked now.
    pub parked: u64,
    /// Done by other steps than today's, or from an older version.
    pub stale: u64,
    /// Done, by today's steps.
    pub fresh: u64,
}

/// The newest version of a key on the shelf.
struct Newest {
    run: u32,
    place: u64,
    meant: Meant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meant {
    Yes,
    /// The expression says no.
    Filtered,
    /// It is not in the range.
    Outside,
}

/// Picks. `today` are the steps as they are prepared now; `beat` is a sign of life.
///
/// # Errors
/// When the shelf cannot be read, or the expression is none.
pub(crate) fn pick(
    shelf: &Shelf,
    reentry: &Reentry,
    selection: &Selection,
    known: &Known,
    today: &[Node],
    beat: &dyn Fn(),
) -> Result<Picked> {
    let mut picked = Picked::default();
    let newest = newest(shelf, reentry, selection, &mut picked, beat)?;
    let mut runs: Vec<Vec<Pick>> = shelf.runs.iter().map(|_| Vec::new()).collect();
    let mut chains = Chains { known, today, entry: reentry.no, seen: HashMap::new() };
    for (key, version) in newest {
        match version.meant {
            Meant::Outside => continue,
            Meant::Filtered => {
                picked.filtered += 1;
                continue;
            }
            Meant::Yes => {}
        }
        if known.has_newer(key) {
            picked.superseded += 1;
            continue;
        }
        let id = shelf.runs.get(version.run as usize).map_or("", |run| run.run.as_str());
        let judged = chains.judge(key, id);
        let count = match judged.kind {
            Kind::Missing => &mut picked.kinds.missing,
            Kind::Parked => &mut picked.kinds.parked,
            Kind::Stale => &mut picked.kinds.stale,
            Kind::Fresh | Kind::Dropped => &mut picked.kinds.fresh,
        };
        *count += 1;
        if !judged.kind.is_meant(selection.only) {
            continue;
        }
        for why in judged.why {
            *picked.why.entry(why).or_default() += 1;
        }
        let (place, plan_no, newer) = (version.place, judged.plan_no, judged.newer);
        runs[version.run as usize].push(Pick { key, place, plan_no, newer });
    }
    for (run, mut items) in runs.into_iter().enumerate().filter(|(_, items)| !items.is_empty()) {
        items.sort_unstable_by_key(|pick| pick.place);
        picked.runs.push((run, items));
    }
    if selection.newest_first {
        picked.runs.reverse();
    }
    cut(&mut picked, selection.limit);
    Ok(picked)
}

/// Reads every index, oldest run first: what comes later takes the place of what was there.
fn newest(
    shelf: &Shelf,
    reentry: &Reentry,
    selection: &Selection,
    picked: &mut Picked,
    beat: &dyn Fn(),
) -> Result<HashMap<u128, Newest>> {
    let filter = Filter::of(selection, &*reentry.reader, shelf)?;
    let columns = filter.as_ref().map(Filter::columns).unwrap_or_default();
    let mut newest: HashMap<u128, Newest> = HashMap::new();
    for (no, run) in (0_u32..).zip(&shelf.runs) {
        beat();
        let inside =
            selection.covers(run.dt) && selection.run.as_ref().is_none_or(|id| *id == run.run);
        let dt = run.dt.to_string();
        for item in reentry.reader.index(run, if inside { columns } else { &[] })? {
            let meant = match (&filter, inside) {
                (_, false) => Meant::Outside,
                (Some(filter), true)
                    if !filter.keeps(&item.key, &dt, &run.run, &item.values)? =>
                {
                    Meant::Filtered
                }
                _ => Meant::Yes,
            };
            picked.versions += u64::from(inside);
            let version = Newest { run: no, place: item.place, meant };
            let older = newest.insert(hash(&item.key), version);
            picked.superseded += u64::from(older.is_some_and(|old| old.meant != Meant::Outside));
        }
    }
    Ok(newest)
}

/// What became of an item before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    Parked,
    Stale,
    Fresh,
    /// Never through, and a person does not want to hear of it.
    Dropped,
}

impl Kind {
    fn is_meant(self, only: Only) -> bool {
        match only {
            Only::Missing => self == Kind::Missing,
            Only::Parked => self == Kind::Parked,
            Only::Stale => self == Kind::Stale,
            Only::All => true,
        }
    }
}

/// What is known of a version.
struct Judged {
    kind: Kind,
    plan_no: Option<i64>,
    newer: bool,
    why: Vec<(usize, String, Why)>,
}

/// Compares the chains that did the keys with today's, each once.
struct Chains<'a> {
    known: &'a Known,
    today: &'a [Node],
    entry: usize,
    seen: HashMap<i64, Vec<(usize, String, Why)>>,
}

impl Chains<'_> {
    fn judge(&mut self, key: u128, version: &str) -> Judged {
        let known = self.known;
        let (parked, dropped) = (known.parked.contains(&key), known.dropped.contains(&key));
        let undone = match (parked, dropped) {
            (true, _) => Kind::Parked,
            (false, true) => Kind::Dropped,
            (false, false) => Kind::Missing,
        };
        let Some(standing) = known.keys.get(&key).copied() else {
            return Judged { kind: undone, plan_no: None, newer: false, why: vec![] };
        };
        // Ids begin with the time; of a run that is not known any more nothing can be said.
        let newer = known.runs.get(&standing.run_no).is_some_and(|id| version > id.as_str());
        let plan_no = Some(standing.plan_no);
        if !standing.done {
            return Judged { kind: undone, plan_no, newer, why: vec![] };
        }
        let mut why = self.differences(standing.plan_no);
        if newer {
            why.push((self.entry, String::new(), Why::Input));
        }
        let kind = match (parked, why.is_empty()) {
            (true, _) => Kind::Parked,
            (false, true) => Kind::Fresh,
            (false, false) => Kind::Stale,
        };
        Judged { kind, plan_no, newer, why }
    }

    fn differences(&mut self, plan_no: i64) -> Vec<(usize, String, Why)> {
        let (known, today, entry) = (self.known, self.today, self.entry);
        let found = self.seen.entry(plan_no);
        found.or_insert_with(|| known.chains.behind(plan_no, today, entry)).clone()
    }
}

/// Leaves out what is over the limit.
fn cut(picked: &mut Picked, limit: Option<u64>) {
    let Some(limit) = limit else { return };
    let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
    for (_, items) in &mut picked.runs {
        let kept = items.len().min(left);
        picked.over += (items.len() - kept) as u64;
        items.truncate(kept);
        left -= kept;
    }
    picked.runs.retain(|(_, items)| !items.is_empty());
}

impl Picked {
    /// How many items.
    pub(crate) fn count(&self) -> u64 {
        self.runs.iter().map(|(_, items)| items.len() as u64).sum()
    }
}
