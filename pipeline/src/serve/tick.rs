//! One look at the clock: every schedule is decided up to now.

use crate::Result;
use crate::ledger::{Read, ScheduleRow, schedules};
use crate::mill::Home;
use chrono::{DateTime, Utc};

/// Decides everything that is due now, each nominal time once. What gets a run is left in the
/// ledger for those who run it. Nothing is written when nothing is due.
///
/// # Errors
/// When the ledger refuses.
pub async fn tick(home: &Home) -> Result<()> {
    let now = home.clock().now();
    if !home.ledger().read(move |read| any_due(read, now)).await? {
        return Ok(());
    }
    home.ledger()
        .transaction(move |tx| {
            ScheduleRow::all(tx)?.iter().try_for_each(|row| schedules::decide(tx, row, now))
        })
        .await
}

fn any_due(read: &Read<'_>, now: DateTime<Utc>) -> Result<bool> {
    for row in ScheduleRow::all(read)? {
        if schedules::is_due(read, &row, now)? {
            return Ok(true);
        }
    }
    Ok(false)
}
