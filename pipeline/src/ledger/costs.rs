//! What answers cost: by key and step, kept across runs, so that a replay can be foreseen.

use super::{Read, Tx};
use crate::replay::Cost;
use crate::{Fingerprint, Result};
use rusqlite::params;

/// Whose answer it was.
#[derive(Debug, Clone)]
pub(crate) struct CostKey {
    pub(crate) pipeline_no: i64,
    pub(crate) key: String,
    /// The step's name; from the second of this name on with its number.
    pub(crate) step: String,
    pub(crate) fingerprint: Fingerprint,
}

/// Keeps what an answer cost.
pub(crate) fn keep(tx: &Tx<'_>, of: &CostKey, run_no: i64, cost: &Cost) -> Result<()> {
    let measure = cost.measure.as_ref().map(ToString::to_string);
    tx.execute(
        "INSERT OR REPLACE INTO tm_costs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            of.pipeline_no,
            of.key,
            of.step,
            of.fingerprint.as_bytes(),
            run_no,
            cost.calls,
            cost.prompt_tokens,
            cost.output_tokens,
            measure
        ],
    )?;
    // The last two ways to prepare a step: today's, and the one before, which a rollback brings back.
    tx.execute(
        "DELETE FROM tm_costs WHERE pipeline_no = ?1 AND key = ?2 AND step = ?3 AND fingerprint NOT IN
           (SELECT fingerprint FROM tm_costs WHERE pipeline_no = ?1 AND key = ?2 AND step = ?3
             ORDER BY run_no DESC, fingerprint = ?4 DESC LIMIT 2)",
        params![of.pipeline_no, of.key, of.step, of.fingerprint.as_bytes()],
    )
    .map(|_| ())
}

/// One line of that memory.
#[derive(Debug)]
pub(crate) struct Spent<'a> {
    pub(crate) key: &'a str,
    pub(crate) step: &'a str,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) run_no: i64,
    pub(crate) cost: Cost,
}

/// Calls `each` with what the answers of a pipeline cost, in the order of the keys.
pub(crate) fn each(
    read: &Read<'_>,
    pipeline_no: i64,
    mut each: impl FnMut(Spent<'_>),
) -> Result<()> {
    let sql = "SELECT key, step, fingerprint, run_no, calls, prompt_tokens, output_tokens, measure
                 FROM tm_costs WHERE pipeline_no = ?1 ORDER BY key, step";
    read.each(sql, params![pipeline_no], |row| {
        let measure = row.get_ref(7)?.as_str_or_null()?;
        each(Spent {
            key: row.get_ref(0)?.as_str()?,
            step: row.get_ref(1)?.as_str()?,
            fingerprint: Fingerprint::from_slice(row.get_ref(2)?.as_blob()?),
            run_no: row.get(3)?,
            cost: Cost {
                calls: row.get(4)?,
                prompt_tokens: row.get(5)?,
                output_tokens: row.get(6)?,
                measure: measure.and_then(|text| serde_json::from_str(text).ok()),
            },
        });
        Ok(())
    })
}

/// How long one of the newest calls to a model took on average, in milliseconds; none when none was
/// made.
pub(crate) fn millis_per_call(read: &Read<'_>) -> Result<Option<f64>> {
    let sql = "SELECT avg(ms) FROM (SELECT ms FROM tm_calls WHERE ms > 0 ORDER BY made_at DESC LIMIT 500)";
    Ok(read.one(sql, [], |row| row.get::<_, Option<f64>>(0))?.flatten())
}
