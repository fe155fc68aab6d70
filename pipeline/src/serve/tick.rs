//! One look at the clock: every schedule is decided up to now.

use crate::Result;
use crate::ledger::{Read, ScheduleRow, schedules};
use crate::mill::Home;
use chrono::{DateTime, Utc};

/// Decides everything of these pipelines that is due now, each nominal time once. What gets a run is
/// left in the ledger for those who run it. Nothing is written when nothing is due.
///
/// # Errors
/// When the ledger refuses.
pub(super) async fn tick(home: &Home, pipelines: &[String]) -> Result<()> {
    let (now, names) = (home.clock().now(), pipelines.to_vec());
    let due = home.ledger().read(move |read| due(read, &names, now)).await?;
    let mut failed = None;
    for name in due {
        // Each for itself: one that fails must not stop the others.
        let decided = home.ledger().transaction(move |tx| match ScheduleRow::of(tx, &name)? {
            // As it is now: it may have been paused or changed since.
            Some(row) => schedules::decide(tx, &row, now),
            None => Ok(()),
        });
        if let Err(error) = decided.await {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The pipelines of whose schedules something is to be decided.
fn due(read: &Read<'_>, names: &[String], now: DateTime<Utc>) -> Result<Vec<String>> {
    let mut due = Vec::new();
    for row in ScheduleRow::all(read)?.into_iter().filter(|row| names.contains(&row.pipeline)) {
        if schedules::is_due(read, &row, now)? {
            due.push(row.pipeline);
        }
    }
    Ok(due)
}
