//! What a keep plan says about one run.

use serde::{Deserialize, Serialize};

/// Keep this run or let it go, with every reason that applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The run's id.
    pub run: String,
    /// Whether it stays.
    pub keep: bool,
    /// Why: `daily 3 of 30`, `within 30d`, `pinned`, `referenced`, `future`, `floor`, … Never
    /// empty, also for a run that goes.
    pub reasons: Vec<String>,
}

impl Decision {
    /// A run with reasons stays; one without goes because of `otherwise`.
    pub(super) fn from_reasons(run: &str, reasons: Vec<String>, otherwise: &str) -> Self {
        let keep = !reasons.is_empty();
        let reasons = if keep { reasons } else { vec![otherwise.to_owned()] };
        Self { run: run.to_owned(), keep, reasons }
    }
}

/// Keeps the newest run that is not dated in the future when the plan would keep none of those.
///
/// `candidates` says for each decision, newest first, whether it may be the floor.
pub(super) fn apply_floor(decisions: &mut [Decision], candidates: &[bool]) {
    let mut present = decisions.iter_mut().zip(candidates).filter(|(_, ok)| **ok).map(|(d, _)| d);
    let Some(newest) = present.next() else { return };
    if newest.keep || present.any(|decision| decision.keep) {
        return;
    }
    newest.keep = true;
    newest.reasons = vec!["floor".to_owned()];
}
