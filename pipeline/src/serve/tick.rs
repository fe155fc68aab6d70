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
pub async fn tick(home: &Home, pipelines: &[String]) -> Result<()> {
    let (now, names) = (home.clock().now(), pipelines.to_vec());
    let due = home.ledger().read(move |read| due(read, &names, now)).await?;
    if due.is_empty() {
        return Ok(());
    }
    home.ledger()
        .transaction(move |tx| {
            for name in &due {
                // As it is now: it may have been paused or changed since.
                if let Some(row) = ScheduleRow::of(tx, name)? {
                    schedules::decide(tx, &row, now)?;
                }
            }
            Ok(())
        })
        .await
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
