//! What is stale: items that were done by other steps than today's, and what is other about them.

use super::Read;
use crate::Result;
use crate::build::Node;
use rusqlite::params;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What item memory knows of a pipeline, by the chain of steps that did it.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// How many items each chain did last, by its number.
    items: BTreeMap<i64, u64>,
    chains: BTreeMap<i64, Vec<Node>>,
    /// The runs, oldest first: number, id, and the number of the chain.
    runs: Vec<(i64, String, i64)>,
}

/// What of a pipeline is stale. Unchanged items keep their answers until they change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// Items that were done by other steps than today's.
    pub items: u64,
    /// All items that were done.
    pub of: u64,
    /// What is other, step by step; an item may be stale for several reasons.
    pub steps: Vec<StaleStep>,
}

/// What of a step is other than it was when items were done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaleStep {
    /// Its place in today's chain, 0 being the source; for a step that is gone, where it was.
    pub place: usize,
    /// Its name.
    pub step: String,
    /// How many items.
    pub items: u64,
    /// What is other.
    #[serde(flatten)]
    pub why: Why,
}

/// Why an answer is stale.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Why {
    /// The step has another version.
    Version {
        /// The version that did the items.
        was: u32,
        /// Today's.
        now: u32,
    },
    /// The step is configured otherwise in the code.
    Configured,
    /// The same configuration, but the step found something else when it was prepared: another
    /// model, for instance.
    Prepared {
        /// The first run that found it.
        since: Option<String>,
    },
    /// The archive has a newer version than the one that was done.
    Input,
    /// The step was not there.
    Added,
    /// The step is not there any more.
    Removed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Version { was, now } => write!(f, "done by version {was}, now {now}"),
            Why::Configured => f.write_str("the configuration changed"),
            Why::Prepared { since: Some(run) } => {
                write!(f, "another model or other preparation (since run {run})")
            }
            Why::Prepared { since: None } => f.write_str("another model or other preparation"),
            Why::Input => f.write_str("the archive has a newer version"),
            Why::Added => f.write_str("the step was added"),
            Why::Removed => f.write_str("the step was removed"),
        }
    }
}

impl Done {
    /// Looks it up; empty for a pipeline that never ran.
    ///
    /// # Errors
    /// When the ledger refuses, or a chain in it has another shape.
    pub fn read(read: &Read<'_>, pipeline: &str) -> Result<Self> {
        let items = read.all(
            "SELECT plan_no, count(*) FROM
               (SELECT m.plan_no, m.outcome, max(m.run_no) FROM tm_memory m JOIN tm_runs r USING (run_no)
                 WHERE m.pipeline_no = (SELECT pipeline_no FROM tm_pipelines WHERE name = ?1)
                   AND r.state IN ('published', 'finished') GROUP BY m.key)
              WHERE outcome = 1 GROUP BY plan_no",
            params![pipeline],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (chains, runs) = (bodies(read, pipeline)?, runs(read, pipeline)?);
        Ok(Self { items: items.into_iter().collect(), chains, runs })
    }

    /// Only the chains and the runs, without counting what they did.
    pub(crate) fn chains(read: &Read<'_>, pipeline: &str) -> Result<Self> {
        let (chains, runs) = (bodies(read, pipeline)?, runs(read, pipeline)?);
        Ok(Self { chains, runs, ..Self::default() })
    }

    /// All chains of steps, with their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (i64, &[Node])> {
        self.chains.iter().map(|(no, chain)| (*no, chain.as_slice()))
    }

    /// What is other behind the step `entry` than in the chain that did an item; `today` are the steps
    /// as they are prepared now.
    pub(crate) fn behind(
        &self,
        plan: i64,
        today: &[Node],
        entry: usize,
    ) -> Vec<(usize, String, Why)> {
        let Some(chain) = self.chains.get(&plan) else { return vec![] };
        let mut other = compare(chain, today, |was, now| {
            let found = was.fingerprint != now.fingerprint;
            known_reason(was, now).or(found.then_some(Why::Prepared { since: None }))
        });
        other.retain(|(place, ..)| *place > entry);
        other
    }

    /// The steps of the newest run, as they were prepared; `None` when there was none.
    #[must_use]
    pub fn newest(&self) -> Option<&[Node]> {
        let (_, _, plan) = self.runs.last()?;
        self.chains.get(plan).map(Vec::as_slice)
    }

    /// Compares what was done with today's steps.
    #[must_use]
    pub fn stale(&self, today: &[Node]) -> Stale {
        let mut stale = Stale { of: self.items.values().sum(), ..Stale::default() };
        let mut found: BTreeMap<(usize, String, Why), u64> = BTreeMap::new();
        for (plan, items) in &self.items {
            let Some(chain) = self.chains.get(plan) else { continue };
            let other = self.differences(*plan, chain, today);
            stale.items += if other.is_empty() { 0 } else { *items };
            for what in other {
                *found.entry(what).or_default() += items;
            }
        }
        let steps = found.into_iter();
        stale.steps = steps
            .map(|((place, step, why), items)| StaleStep { place, step, items, why })
            .collect();
        stale
    }

    /// What is other in today's steps than in a chain that did items.
    fn differences(&self, plan: i64, chain: &[Node], today: &[Node]) -> Vec<(usize, String, Why)> {
        compare(chain, today, |was, now| self.why(plan, was, now))
    }

    fn why(&self, plan: i64, was: &Node, now: &Node) -> Option<Why> {
        if let Some(why) = known_reason(was, now) {
            return Some(why);
        }
        let found = self.newest()?.iter().find(|node| same(node, now))?;
        let comparable = found.version == now.version && found.configured == now.configured;
        if !comparable || found.fingerprint == was.fingerprint {
            return None;
        }
        let last = self.runs.iter().rfind(|(_, _, of)| *of == plan).map_or(0, |(no, ..)| *no);
        let since = self.runs.iter().find(|(no, _, plan)| {
            let chain = self.chains.get(plan).into_iter().flatten();
            let mut same = chain.filter(|node| same(node, now));
            *no > last && same.any(|node| node.fingerprint == found.fingerprint)
        });
        Some(Why::Prepared { since: since.map(|(_, id, _)| id.clone()) })
    }
}

/// The runs of a pipeline, oldest first: number, id, and the number of the chain.
fn runs(read: &Read<'_>, pipeline: &str) -> Result<Vec<(i64, String, i64)>> {
    read.all(
        "SELECT r.run_no, r.id, r.plan_no FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
          WHERE p.name = ?1 AND r.state NOT IN ('trial', 'abandoned') ORDER BY r.run_no",
        params![pipeline],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// The chains of a pipeline, by their numbers.
fn bodies(read: &Read<'_>, pipeline: &str) -> Result<BTreeMap<i64, Vec<Node>>> {
    let bodies = read.all(
        "SELECT l.plan_no, l.body FROM tm_plans l JOIN tm_pipelines p USING (pipeline_no)
          WHERE p.name = ?1",
        params![pipeline],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
    )?;
    bodies.into_iter().map(|(no, body)| Ok((no, serde_json::from_str(&body)?))).collect()
}

/// What is other in the second chain than in the first, step by step: place, name, reason.
fn compare(
    chain: &[Node],
    today: &[Node],
    why: impl Fn(&Node, &Node) -> Option<Why>,
) -> Vec<(usize, String, Why)> {
    // The source is no part of it: one feed more makes no answer stale.
    let mut other = Vec::new();
    let mut expected = 1;
    for (was, now) in pairs(chain, today) {
        match (was.and_then(|no| chain.get(no)), now.and_then(|no| today.get(no))) {
            (Some(was), None) => other.push((expected, was.name.clone(), Why::Removed)),
            (None, Some(node)) => other.push((expected, node.name.clone(), Why::Added)),
            (Some(was), Some(node)) => {
                other.extend(why(was, node).map(|why| (expected, node.name.clone(), why)));
            }
            (None, None) => {}
        }
        expected = now.map_or(expected, |now| now + 1);
    }
    other
}

/// What is other in the code.
fn known_reason(was: &Node, now: &Node) -> Option<Why> {
    if was.version != now.version {
        return Some(Why::Version { was: was.version, now: now.version });
    }
    (was.configured != now.configured).then_some(Why::Configured)
}

/// The chain of an item that was entered behind a step: up to that step as it was done before, from
/// there on as it is prepared now.
pub(crate) fn spliced(before: &[Node], today: &[Node], entry: usize) -> Vec<Node> {
    let same = pairs(before, today).into_iter().find(|(_, now)| *now == Some(entry));
    let kept = match (entry, same) {
        (0, _) => before.get(..1),
        (_, Some((Some(was), _))) => before.get(..=was),
        _ => today.get(..=entry),
    };
    let behind = today.get(entry + 1..).unwrap_or_default();
    [kept.unwrap_or_default(), behind].concat()
}

/// Whether two nodes are the same step, perhaps with another version or configuration. Closures are
/// named after their place, which moves.
fn same(a: &Node, b: &Node) -> bool {
    let named = |node: &Node| (node.version > 0).then(|| node.name.clone());
    a.verb == b.verb && named(a) == named(b) && a.fills == b.fills
}

/// The steps behind the source of two chains, side by side and in order: the longest list of steps
/// that both have, with what only one of them has in between.
fn pairs(was: &[Node], now: &[Node]) -> Vec<(Option<usize>, Option<usize>)> {
    let (n, m) = (was.len(), now.len());
    let mut common = vec![vec![0_usize; m + 1]; n + 1];
    for i in (1..n).rev() {
        for j in (1..m).rev() {
            common[i][j] = match same(&was[i], &now[j]) {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut pairs) = (1, 1, Vec::new());
    while i < n || j < m {
        if i < n && j < m && same(&was[i], &now[j]) {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if j >= m || (i < n && common[i + 1][j] >= common[i][j + 1]) {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
#[path = "stale_tests.rs"]
mod tests;
