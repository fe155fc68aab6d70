//! The forecast: what a replay would work on, which steps would run and why, and what it would cost.

use super::cost::{Cost, Foreseen};
use super::pick::{Kinds, Known, Pick, Picked, hash};
use crate::build::{Blueprint, Memory};
use crate::ledger::costs::{self, Spent};
use crate::ledger::{Why, replays};
use crate::run::live::Scene;
use crate::run::reenter::Replaying;
use crate::{Fingerprint, Result};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What a replay would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Forecast {
    /// The pipeline.
    pub pipeline: String,
    /// The dataset.
    pub from: String,
    /// The archive's folder.
    pub archive: PathBuf,
    /// Archived runs in the range, and the first and last dates that they are filed under.
    pub runs: u64,
    /// The first date.
    pub first: Option<String>,
    /// The last date.
    pub last: Option<String>,
    /// Archived versions in the range.
    pub versions: u64,
    /// Those of which the archive has a newer version.
    pub superseded: u64,
    /// Those that the expression leaves out.
    pub filtered: u64,
    /// The others, by what became of them before.
    pub kinds: Kinds,
    /// Those over the limit.
    pub over: u64,
    /// Items that would be worked on.
    pub items: u64,
    /// Items of an unfinished replay of this selection that are through: they are not worked on again.
    pub through: u64,
    /// The steps that would run.
    pub steps: Vec<StepForecast>,
    /// Calls to models.
    pub calls: Calls,
    /// Tokens of prompts and answers, about, for those calls that can be foreseen.
    pub tokens: u64,
    /// How long these calls would take one after another, in milliseconds, by the newest ones;
    /// `None` when no call was ever made.
    pub millis: Option<u64>,
}

/// How many calls to models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// At least so many.
    pub least: u64,
    /// At most so many, besides those of items of which it is not known.
    pub most: u64,
    /// Items of which it is not known how many they take.
    pub unknown: u64,
}

/// What of a step would run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StepForecast {
    /// Its place in the chain, 0 being the source.
    pub place: usize,
    /// The verb.
    pub verb: String,
    /// Its name.
    pub step: String,
    /// What is other about it, with the number of items. Empty: it is as it was, and runs because
    /// what it made before is not at hand.
    pub why: Vec<Reason>,
    /// Calls to models.
    pub calls: Calls,
    /// Answers that are remembered: no model is asked for them.
    pub remembered: u64,
}

/// Why a step runs.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    /// What is other.
    #[serde(flatten)]
    pub why: Why,
    /// Items.
    pub items: u64,
}

/// What an unfinished replay has of an item.
#[derive(Debug, Default)]
struct Begun {
    settled: bool,
    steps: Vec<usize>,
}

impl Forecast {
    pub(crate) async fn make(
        scene: &Arc<Scene>,
        blueprint: &Arc<Blueprint>,
        replaying: &Arc<Replaying>,
        fingerprints: &[Fingerprint],
    ) -> Result<Self> {
        let (name, no) = (scene.pipeline.clone(), scene.pipeline_no);
        let from = replaying.selection.from.clone();
        let ledger = scene.home.ledger();
        let known = ledger.read(move |read| Known::read(read, &name, no, &from)).await?;
        let known = Arc::new(known);
        let picked = replaying.pick(Arc::clone(&known)).await?;
        let source = replaying.selection.fingerprint();
        let begun = scene
            .home
            .ledger()
            .read(move |read| {
                let mut begun = HashMap::new();
                if let Some(run_no) = replays::unfinished(read, no, &source)? {
                    replays::each_item(read, run_no, |key, settled, steps| {
                        let steps = steps.split(',').filter_map(|step| step.parse().ok()).collect();
                        begun.insert(hash(key), Begun { settled, steps });
                    })?;
                }
                Ok(begun)
            })
            .await?;
        let mut made = Self::of(blueprint, replaying, &picked);
        let seer = Seer::new(blueprint, replaying, known, fingerprints, picked, begun);
        let (seen, per_call) = scene
            .home
            .ledger()
            .read(move |read| {
                let mut seer = seer;
                costs::each(read, no, |spent| seer.see(&spent))?;
                Ok((seer.end(), costs::millis_per_call(read)?))
            })
            .await?;
        made.through = seen.through;
        made.items -= seen.through;
        for step in &mut made.steps {
            let Some(of) = seen.steps.get(&step.place) else { continue };
            (step.calls, step.remembered) = (of.calls, of.remembered);
            made.calls.least += of.calls.least;
            made.calls.most += of.calls.most;
            made.calls.unknown += of.calls.unknown;
            made.tokens += of.tokens;
        }
        let calls = (made.calls.least + made.calls.most) as f64 / 2.0;
        made.millis = per_call.map(|millis| (millis * calls).round() as u64);
        Ok(made)
    }

    fn of(blueprint: &Blueprint, replaying: &Replaying, picked: &Picked) -> Self {
        let inside = |dt: &chrono::NaiveDate| replaying.selection.covers(*dt);
        let dates = || replaying.shelf.runs.iter().map(|run| run.dt).filter(inside);
        let steps = blueprint.nodes.iter().enumerate().skip(replaying.reentry.no + 1);
        Self {
            pipeline: blueprint.name.clone(),
            from: replaying.selection.from.clone(),
            archive: replaying.tier.root.clone(),
            runs: dates().count() as u64,
            first: dates().min().map(|dt| dt.to_string()),
            last: dates().max().map(|dt| dt.to_string()),
            versions: picked.versions,
            superseded: picked.superseded,
            filtered: picked.filtered,
            kinds: picked.kinds,
            over: picked.over,
            items: picked.count(),
            steps: steps
                .map(|(place, node)| StepForecast {
                    place,
                    verb: node.verb.clone(),
                    step: node.name.clone(),
                    why: reasons(picked, place, replaying.reentry.no),
                    ..StepForecast::default()
                })
                .collect(),
            ..Self::default()
        }
    }
}

/// Why the step at a place runs. A newer version in the archive is told of the first step.
fn reasons(picked: &Picked, place: usize, entry: usize) -> Vec<Reason> {
    let here = picked.why.iter().filter(|((at, _, why), _)| match why {
        Why::Input => place == entry + 1,
        _ => *at == place,
    });
    here.map(|((_, _, why), items)| Reason { why: why.clone(), items: *items }).collect()
}

/// What a step would cost over all items.
#[derive(Debug, Default)]
struct Sum {
    calls: Calls,
    tokens: u64,
    remembered: u64,
}

#[derive(Debug, Default)]
struct Seen {
    through: u64,
    steps: HashMap<usize, Sum>,
}

/// Goes through what answers cost and adds up what they would cost now.
struct Seer {
    blueprint: Arc<Blueprint>,
    known: Arc<Known>,
    replaying: Arc<Replaying>,
    /// Steps whose answers are remembered, by the label that their costs have: place, fingerprint.
    steps: HashMap<String, (usize, Option<Fingerprint>)>,
    picks: HashMap<u128, Pick>,
    begun: HashMap<u128, Begun>,
    /// Chains that were compared, each once, by number and place.
    other: HashMap<(i64, usize), bool>,
    through: u64,
    sums: HashMap<usize, Sum>,
    /// Items whose costs were seen, by step.
    seen: HashMap<usize, HashSet<u128>>,
    /// The rows of one key and step come one behind the other.
    group: Option<Group>,
}

struct Group {
    key: u128,
    place: usize,
    /// The step as it is now has answered before.
    today: bool,
    /// … but perhaps about another content.
    perhaps: bool,
    newest: (i64, Cost),
}

impl Seer {
    fn new(
        blueprint: &Arc<Blueprint>,
        replaying: &Arc<Replaying>,
        known: Arc<Known>,
        fingerprints: &[Fingerprint],
        picked: Picked,
        begun: HashMap<u128, Begun>,
    ) -> Self {
        let remembered =
            |(_, node): &(usize, &crate::build::Node)| node.memory == Memory::Remembered;
        let nodes = blueprint.nodes.iter().enumerate().skip(replaying.reentry.no + 1);
        let steps = nodes
            .filter(remembered)
            .map(|(place, _)| (blueprint.label(place), (place, fingerprints.get(place).copied())));
        let mut picks: HashMap<u128, Pick> =
            picked.runs.into_iter().flat_map(|(_, picks)| picks).map(|p| (p.key, p)).collect();
        let all = picks.len();
        picks.retain(|key, _| !begun.get(key).is_some_and(|begun| begun.settled));
        Self {
            through: (all - picks.len()) as u64,
            steps: steps.collect(),
            blueprint: Arc::clone(blueprint),
            replaying: Arc::clone(replaying),
            known,
            picks,
            begun,
            other: HashMap::new(),
            sums: HashMap::new(),
            seen: HashMap::new(),
            group: None,
        }
    }

    /// What one answer cost.
    fn see(&mut self, spent: &Spent<'_>) {
        let Some((place, fingerprint)) = self.steps.get(spent.step).copied() else { return };
        let key = hash(spent.key);
        self.seen.entry(place).or_default(); // the step asks models
        if !self.picks.contains_key(&key) {
            return;
        }
        let today = fingerprint.is_some() && spent.fingerprint == fingerprint;
        let of_now = self.known.content_since(key).is_none_or(|since| spent.run_no >= since);
        let (today, perhaps) = (today && of_now, today && !of_now);
        match &mut self.group {
            Some(group) if group.key == key && group.place == place => {
                group.today |= today;
                group.perhaps |= perhaps;
                if spent.run_no >= group.newest.0 {
                    group.newest = (spent.run_no, spent.cost.clone());
                }
            }
            _ => {
                self.settle();
                let newest = (spent.run_no, spent.cost.clone());
                self.group = Some(Group { key, place, today, perhaps, newest });
            }
        }
    }

    fn settle(&mut self) {
        let Some(group) = self.group.take() else { return };
        self.seen.entry(group.place).or_default().insert(group.key);
        self.add(&group, Some(&group.newest.1));
    }

    /// Adds what the step would cost for an item.
    fn add(&mut self, group: &Group, past: Option<&Cost>) {
        let Group { key, place, today, .. } = *group;
        let Some(pick) = self.picks.get(&key).copied() else { return };
        let other = self.is_other_before(&pick, place);
        let begun = self.begun.get(&key);
        let answered = begun.is_some_and(|begun| begun.steps.contains(&place));
        let sum = self.sums.entry(place).or_default();
        if answered || (today && !other) {
            sum.remembered += 1;
            return;
        }
        let Some(step) = self.blueprint.steps.get(place).and_then(Option::as_ref) else { return };
        let foreseen = step.foresee(past);
        let never = past.is_none() && foreseen == Foreseen::default();
        let Foreseen { least, most: Some(most), tokens } = foreseen else {
            sum.calls.unknown += 1;
            return;
        };
        if never {
            // It asks a model for others: for one that it never had, nobody can say.
            sum.calls.unknown += 1;
            return;
        }
        // What comes from another step may be longer, or shorter; what was begun may be answered,
        // and what was answered may have been about other words.
        let (least, most) = match (other, begun.is_some() || group.perhaps) {
            (true, _) => (0, most.saturating_mul(2).max(1)),
            (false, true) => (0, most),
            (false, false) => (least, most),
        };
        sum.calls.least += u64::from(least);
        sum.calls.most += u64::from(most);
        sum.tokens += tokens;
    }

    /// Whether something between the entry and this step is other than when the item was done.
    fn is_other_before(&mut self, pick: &Pick, place: usize) -> bool {
        let Some(plan) = pick.plan_no else { return false };
        let other = self.other.entry((plan, place));
        let (known, replaying) = (&self.known, &self.replaying);
        pick.newer || *other.or_insert_with(|| known.is_other_between(plan, replaying, place))
    }

    /// Adds the items that these steps never had.
    fn end(mut self) -> Seen {
        self.settle();
        let places: Vec<usize> = self.steps.values().map(|(place, _)| *place).collect();
        for place in places {
            let seen = self.seen.remove(&place);
            let step = self.blueprint.steps.get(place).and_then(Option::as_ref);
            let asks = step.is_some_and(|step| step.foresee(None) != Foreseen::default());
            if seen.is_none() && !asks {
                continue; // it asks no model
            }
            let seen = seen.unwrap_or_default();
            let keys: Vec<u128> =
                self.picks.keys().filter(|key| !seen.contains(key)).copied().collect();
            for key in keys {
                let newest = (0, Cost::default());
                let never = Group { key, place, today: false, perhaps: false, newest };
                self.add(&never, None);
            }
        }
        Seen { through: self.through, steps: self.sums }
    }
}
