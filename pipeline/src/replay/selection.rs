//! The selection: which archived items a replay works on.

use crate::{Error, Fingerprint, Result};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which archived items are worked on again. Of each key only the newest archived version is: an
/// older one would take its place in the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The dataset that is read; the pipeline is entered behind the step that fills it.
    pub from: String,
    /// Filed under this date or a later one.
    pub since: Option<NaiveDate>,
    /// Filed under this date or an earlier one.
    pub until: Option<NaiveDate>,
    /// Of this archived run only.
    pub run: Option<String>,
    /// An expression of SQLite over `key`, `dt`, `run` and the dataset's columns.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Which of them, by what became of them before.
    pub only: Only,
    /// The newest runs go first; by default the oldest.
    pub newest_first: bool,
    /// So many at most.
    pub limit: Option<u64>,
}

/// Which items a replay takes, by what became of them before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Those that never came through.
    #[default]
    Missing,
    /// Those that are parked now.
    Parked,
    /// Those that came through by other steps than today's, or from an older version.
    Stale,
    /// All of them.
    All,
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Only::Missing => "missing",
            Only::Parked => "parked",
            Only::Stale => "stale",
            Only::All => "all",
        })
    }
}

impl fmt::Display for Selection {
    /// As it is given on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--from {}", self.from)?;
        for (flag, date) in [("since", self.since), ("until", self.until)] {
            date.map_or(Ok(()), |date| write!(f, " --{flag} {date}"))?;
        }
        self.run.as_ref().map_or(Ok(()), |run| write!(f, " --run {run}"))?;
        let quoted = |text: &String| text.replace('\'', r"'\''");
        self.filter.as_ref().map_or(Ok(()), |expr| write!(f, " --where '{}'", quoted(expr)))?;
        if self.only != Only::default() {
            write!(f, " --only {}", self.only)?;
        }
        f.write_str(if self.newest_first { " --newest-first" } else { "" })?;
        self.limit.map_or(Ok(()), |limit| write!(f, " --limit {limit}"))
    }
}

impl Selection {
    /// Everything of a dataset that is missing; narrow it by its fields.
    pub fn of(dataset: impl Into<String>) -> Self {
        Self {
            from: dataset.into(),
            since: None,
            until: None,
            run: None,
            filter: None,
            only: Only::default(),
            newest_first: false,
            limit: None,
        }
    }

    /// Refuses what can select nothing.
    ///
    /// # Errors
    /// `usage` when it begins after its end, or takes none.
    pub fn check(&self) -> Result<()> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since > until
        {
            return Err(Error::halt(format!("--since {since} is after --until {until}"))
                .because("usage")
                .help("swap the two dates; both days belong to the range"));
        }
        if self.limit == Some(0) {
            return Err(Error::halt("--limit 0 takes nothing").because("usage"));
        }
        Ok(())
    }

    /// What tells two replays apart: the same selection from the same archive goes on where it was.
    pub(crate) fn fingerprint(&self, archive: &str) -> Fingerprint {
        Fingerprint::of(&("replay", self, archive))
    }

    /// Whether a date is in the range.
    pub(crate) fn covers(&self, dt: NaiveDate) -> bool {
        self.since.is_none_or(|since| dt >= since) && self.until.is_none_or(|until| dt <= until)
    }
}
