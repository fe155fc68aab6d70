//! The blueprint: what a pipeline is made of, without its types.

use super::archive::Archive;
use super::erased::{AnyFileSink, AnyReplay, AnyStep, AnyTable};
use crate::{Error, Fingerprint, Result};
use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How a step keeps what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// What it yields is recorded before it is worked on.
    Recorded,
    /// Its answers are remembered within the run.
    Remembered,
    /// It is computed again when a run is resumed.
    Recomputed,
    /// Its rows are staged, and published with the run.
    Staged,
    /// Its items are spooled, and sealed into files at the end of the run.
    Spooled,
    /// The items that it makes are recorded like those of a source.
    Derived,
}

/// One step of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// The verb it was written with: `read`, `then`, `map`, `filter`, `flatten`, `chunks`, `save`, `store`.
    pub verb: String,
    /// The step's name.
    pub name: String,
    /// The step's version; 0 for closures.
    pub version: u32,
    /// The type that comes out, without its path.
    pub yields: String,
    /// How it keeps what it did.
    pub memory: Memory,
    /// The dataset or table it fills.
    pub fills: Option<String>,
    /// What of its configuration changes its answers, as it stands in the code.
    #[serde(default = "Fingerprint::nothing")]
    pub configured: Fingerprint,
    /// What changes its answers in a run: what it found when it was prepared (a model's id) too.
    pub fingerprint: Fingerprint,
}

/// What can be turned on a step without changing its answers.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Items worked on at once.
    pub workers: usize,
    /// Whether items leave in the order in which they came.
    pub ordered: bool,
    /// The longest that one try may take.
    pub timeout: Option<Duration>,
    /// How often an item is tried whose error asks for another try.
    pub tries: u32,
    /// A thing that steps share, and how many items may use it at once in all of them.
    pub within: Option<(String, usize)>,
}

/// Tries of a `then` step unless its `.retry(..)` says otherwise.
pub(crate) const TRIES: u32 = 3;

impl Knobs {
    /// Of a step that tries an item once.
    pub(crate) fn once(workers: usize) -> Self {
        Self { workers: workers.max(1), ordered: true, timeout: None, tries: 1, within: None }
    }

    /// Of a step that tries an item several times.
    pub(crate) fn trying(workers: usize) -> Self {
        Self { tries: TRIES, ..Self::once(workers) }
    }
}

/// A place at which a replay may enter: behind a step that fills a dataset which can be read back.
#[derive(Clone)]
pub(crate) struct Reentry {
    /// The step's place.
    pub(crate) no: usize,
    pub(crate) dataset: String,
    pub(crate) reader: Arc<dyn AnyReplay>,
}

/// All of a pipeline but its types.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) knobs: Vec<Knobs>,
    /// The steps themselves, by their place in `nodes`; closures have none.
    pub(crate) steps: Vec<Option<Arc<dyn AnyStep>>>,
    pub(crate) tables: Vec<Arc<dyn AnyTable>>,
    /// The file sinks, each with its place in `nodes`.
    pub(crate) files: Vec<(usize, Arc<dyn AnyFileSink>)>,
    /// Where a replay may enter, in the order of the steps.
    pub(crate) reentries: Vec<Reentry>,
    pub(crate) limit: Option<u64>,
    /// The local time `HH:MM` at which the run's time is up, as the code says it.
    pub(crate) until: Option<String>,
    pub(crate) archive: Option<Archive>,
}

impl Blueprint {
    pub(crate) fn named(name: String) -> Self {
        Self {
            name,
            nodes: Vec::new(),
            knobs: Vec::new(),
            steps: Vec::new(),
            tables: Vec::new(),
            files: Vec::new(),
            reentries: Vec::new(),
            limit: None,
            until: None,
            archive: None,
        }
    }

    /// Adds a step and returns its place.
    pub(crate) fn push(
        &mut self,
        node: Node,
        knobs: Knobs,
        step: Option<Arc<dyn AnyStep>>,
    ) -> usize {
        self.nodes.push(node);
        self.knobs.push(knobs);
        self.steps.push(step);
        self.nodes.len() - 1
    }

    /// Adds a verb that has no name of its own: it is named after itself and its place.
    pub(crate) fn push_unnamed<T>(&mut self, verb: &str, memory: Memory) -> usize {
        let node = Node {
            verb: verb.to_string(),
            name: format!("{verb}-{}", self.nodes.len()),
            version: 0,
            yields: short_type::<T>(),
            memory,
            fills: None,
            configured: Fingerprint::nothing(),
            fingerprint: Fingerprint::nothing(),
        };
        self.push(node, Knobs::once(1), None)
    }

    /// The name of a step.
    pub(crate) fn name_of(&self, no: usize) -> &str {
        self.nodes.get(no).map_or("", |node| node.name.as_str())
    }

    pub(crate) fn knobs(&self, no: usize) -> Knobs {
        self.knobs.get(no).cloned().unwrap_or_else(|| Knobs::once(1))
    }

    /// The local time at which the run's time is up.
    pub(crate) fn until(&self) -> Result<Option<NaiveTime>> {
        let Some(text) = &self.until else { return Ok(None) };
        let time = NaiveTime::parse_from_str(text, "%H:%M").map_err(|e| {
            Error::halt(format!("`.until(\"{text}\")` names no time of day"))
                .because("bad_time")
                .caused_by(e)
                .help("write it as HH:MM, for instance 08:00")
        })?;
        Ok(Some(time))
    }

    /// The places of the steps behind which items enter: the source, `flatten`, `chunks`.
    pub(crate) fn entries(&self) -> Vec<usize> {
        let enters = |node: &Node| matches!(node.memory, Memory::Recorded | Memory::Derived);
        self.nodes.iter().enumerate().filter(|(_, node)| enters(node)).map(|(no, _)| no).collect()
    }

    /// Where a replay from this dataset enters.
    ///
    /// # Errors
    /// `no_reentry`, with the datasets from which it can be replayed.
    pub(crate) fn reentry(&self, dataset: &str) -> Result<&Reentry> {
        if let Some(found) = self.reentries.iter().find(|entry| entry.dataset == dataset) {
            return Ok(found);
        }
        let from: Vec<&str> = self.reentries.iter().map(|entry| entry.dataset.as_str()).collect();
        let filled = self.nodes.iter().any(|node| node.fills.as_deref() == Some(dataset));
        let what = match filled {
            true => format!("what `{}` keeps in `{dataset}` cannot be read back", self.name),
            false => format!("`{}` keeps nothing in a dataset `{dataset}`", self.name),
        };
        let help = match from.as_slice() {
            [] => {
                "keep something on the way, with .save(Parquet::dataset(\"…\")) for instance".into()
            }
            from => format!("it can be replayed from: {}", from.join(", ")),
        };
        Err(Error::halt(what).because("no_reentry").help(help))
    }

    /// Where items enter that a run reads behind the step `entry`: there, and where steps behind it
    /// make others of them.
    pub(crate) fn entries_from(&self, entry: usize) -> Vec<usize> {
        let mut entries = self.entries();
        entries.retain(|no| *no > entry);
        entries.insert(0, entry);
        entries
    }

    /// What costs of a step are kept under: its name, with a number from the second one on.
    pub(crate) fn label(&self, no: usize) -> String {
        let name = self.name_of(no);
        let before = self.nodes.iter().take(no).filter(|node| node.name == name).count();
        if before == 0 { name.to_string() } else { format!("{name}#{}", before + 1) }
    }

    /// The source's name; the cursor is kept under it.
    pub(crate) fn source(&self) -> &str {
        self.nodes.first().map_or("", |node| node.name.as_str())
    }

    /// Refuses what cannot work, before anything is asked for.
    pub(crate) fn check(&self) -> Result<()> {
        super::check_name(&self.name)?;
        self.until()?;
        let filled = |verb: &'static str| self.nodes.iter().filter(move |node| node.verb == verb);
        let mut saved = filled("save");
        if let Some(node) = saved.find(|node| node.fills.as_deref() == Some("sqlite")) {
            return Err(Error::halt(format!("`{}` cannot save into `sqlite`", node.name))
                .because("bad_dataset")
                .help("that is where snapshots of the tables are kept; name another dataset"));
        }
        for node in filled("save") {
            let name = node.fills.as_deref().unwrap_or_default();
            super::check_name(name).map_err(|_| {
                Error::halt(format!("`{name}` cannot name a dataset"))
                    .because("bad_dataset")
                    .help("use 1 to 64 letters, digits, `-` or `_`: the name becomes a folder in the archive")
            })?;
        }
        let targets = filled("store").map(|n| (n.verb.as_str(), n.fills.clone()));
        let targets = targets.chain(filled("save").map(|n| (n.name.as_str(), n.fills.clone())));
        let mut seen = BTreeSet::new();
        for (what, name) in targets {
            if !seen.insert((what, name.clone())) {
                let name = name.unwrap_or_default();
                return Err(Error::halt(format!(
                    "two steps fill `{name}`, and one would write over the other"
                ))
                .because("filled_twice")
                .help("give each table, and each dataset of one kind of file, to one step"));
            }
        }
        Ok(())
    }

    /// The published tables' names.
    pub(crate) fn table_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.tables.iter().map(|table| table.name().to_string()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// A type's name without its path: `alloc::vec::Vec<my::Row>` becomes `Vec<Row>`.
pub(crate) fn short_type<T>() -> String {
    let full = std::any::type_name::<T>();
    let mut short = String::new();
    let mut word = String::new();
    for c in full.chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            other => {
                short.push_str(&word);
                word.clear();
                short.push(other);
            }
        }
    }
    short + &word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_their_paths() {
        assert_eq!(short_type::<Vec<Option<std::time::Duration>>>(), "Vec<Option<Duration>>");
        assert_eq!(short_type::<u8>(), "u8");
    }
}
