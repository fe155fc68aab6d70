//! Whether the keys of a run came in ascending order: then none came twice, and the publish need not
//! look for the last one of each.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};
use tidemill_pipeline::ledger::types::Value;

/// The ascent of the run that stages rows now.
#[derive(Debug, Default)]
pub(super) struct Ascent(Mutex<Option<Climb>>);

#[derive(Debug)]
struct Climb {
    run_no: i64,
    last: Value,
    rows: u64,
    /// Whether each key so far was above the one before.
    rising: bool,
}

impl Ascent {
    /// One more key of a run.
    pub(super) fn step(&self, run_no: i64, key: &Value) {
        let mut climb = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match climb.as_mut().filter(|climb| climb.run_no == run_no) {
            Some(climb) => {
                climb.rows += 1;
                if climb.rising {
                    climb.rising = is_above(key, &climb.last);
                    climb.last.clone_from(key);
                }
            }
            None => *climb = Some(Climb { run_no, last: key.clone(), rows: 1, rising: true }),
        }
    }

    /// How many rows of the run have come, if all keys did so in ascending order.
    pub(super) fn rows(&self, run_no: i64) -> Option<u64> {
        let climb = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        climb
            .as_ref()
            .filter(|climb| climb.run_no == run_no && climb.rising)
            .map(|climb| climb.rows)
    }
}

/// As SQLite orders text and numbers of one column.
fn is_above(key: &Value, last: &Value) -> bool {
    let order = match (key, last) {
        (Value::Text(key), Value::Text(last)) => key.as_bytes().cmp(last.as_bytes()),
        (Value::Integer(key), Value::Integer(last)) => key.cmp(last),
        (Value::Real(key), Value::Real(last)) => key.partial_cmp(last).unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    };
    order == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_strict_ascent_counts() {
        let text = |s: &str| Value::Text(s.into());
        let ascent = Ascent::default();
        ascent.step(1, &text("a"));
        ascent.step(1, &text("b"));
        assert_eq!((ascent.rows(1), ascent.rows(2)), (Some(2), None));
        ascent.step(1, &text("b"));
        ascent.step(1, &text("c"));
        assert_eq!(ascent.rows(1), None, "a key came twice");
        ascent.step(2, &Value::Integer(9));
        ascent.step(2, &Value::Integer(10));
        assert_eq!(ascent.rows(2), Some(2));
        ascent.step(2, &Value::Null);
        assert_eq!(ascent.rows(2), None);
    }
}
