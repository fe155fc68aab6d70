//! Notices on their way: written down before they are sent, and sent until they arrive.

use super::{Read, Tx};
use crate::Result;
use crate::serve::{Notice, NoticeKind};
use rusqlite::{Row, params};
use serde::Serialize;

/// A notice that did not arrive is tried again after this, milliseconds; then after twice that.
const PAUSE: i64 = 30_000;

/// Tries are at most so far apart, milliseconds.
const MOST: i64 = 3_600_000;

/// A notice that has not arrived after this is given up, milliseconds: two days.
const STALE: i64 = 2 * 86_400_000;

/// Notices are kept for so long after they arrived or were given up, milliseconds: 90 days.
const KEPT: i64 = 90 * 86_400_000;

/// A notice on its way to one place.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeRow {
    /// Its number.
    #[serde(skip)]
    pub no: i64,
    /// The place it goes to, by name.
    pub target: String,
    /// The notice.
    pub notice: Notice,
    /// How often it was sent in vain.
    pub tries: u32,
    /// When it arrived, milliseconds since 1970.
    pub sent_at: Option<i64>,
    /// When it was given up, milliseconds since 1970.
    pub given_up_at: Option<i64>,
    /// What went wrong last.
    pub error: Option<String>,
}

const COLUMNS: &str =
    "SELECT notice_no, target, body, tries, sent_at, given_up_at, error FROM tm_notices";

impl NoticeRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            no: row.get(0)?,
            target: row.get(1)?,
            notice: super::tx::json(row, 2)?,
            tries: row.get(3)?,
            sent_at: row.get(4)?,
            given_up_at: row.get(5)?,
            error: row.get(6)?,
        })
    }

    /// The newest first.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub fn newest(read: &Read<'_>, count: u32) -> Result<Vec<Self>> {
        let sql = format!("{COLUMNS} ORDER BY notice_no DESC LIMIT ?1");
        read.all(&sql, [count], Self::from_row)
    }

    /// Those that are to be sent now, oldest first.
    pub(crate) fn due(read: &Read<'_>, now: i64) -> Result<Vec<Self>> {
        let sql = format!(
            "{COLUMNS} WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= ?1
              ORDER BY notice_no LIMIT 100"
        );
        read.all(&sql, [now], Self::from_row)
    }
}

/// Writes a notice about something down for each place that wants it.
pub(crate) fn add(tx: &Tx<'_>, notice: &Notice, subject: &str, targets: &[String]) -> Result<()> {
    let body = serde_json::to_string(notice)?;
    for target in targets {
        tx.execute(
            "INSERT INTO tm_notices (target, kind, subject, body, made_at, next_try_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            params![target, notice.kind.as_str(), subject, body, notice.at],
        )?;
    }
    let old = "DELETE FROM tm_notices WHERE coalesce(sent_at, given_up_at) < ?1";
    tx.execute(old, [notice.at - KEPT]).map(|_| ())
}

/// Whether somebody was told of this kind of thing about this subject since then.
pub(crate) fn told_since(
    read: &Read<'_>,
    kind: NoticeKind,
    subject: &str,
    since: i64,
) -> Result<bool> {
    let sql = "SELECT 1 FROM tm_notices WHERE kind = ?1 AND subject = ?2 AND made_at > ?3 LIMIT 1";
    Ok(read.one(sql, params![kind.as_str(), subject, since], |_| Ok(()))?.is_some())
}

/// It arrived.
pub(crate) fn sent(tx: &Tx<'_>, no: i64, now: i64) -> Result<()> {
    let sql = "UPDATE tm_notices SET sent_at = ?2, error = NULL WHERE notice_no = ?1";
    tx.execute(sql, params![no, now]).map(|_| ())
}

/// It did not arrive: it is sent again later, unless that is of no use.
pub(crate) fn failed(
    tx: &Tx<'_>,
    row: &NoticeRow,
    now: i64,
    error: &str,
    again: bool,
) -> Result<()> {
    let stale = now - row.notice.at > STALE;
    let pause = (PAUSE << row.tries.min(10)).min(MOST);
    let given_up = (!again || stale).then_some(now);
    tx.execute(
        "UPDATE tm_notices SET tries = tries + 1, next_try_at = ?2, error = ?3, given_up_at = ?4
          WHERE notice_no = ?1",
        params![row.no, now + pause, error, given_up],
    )
    .map(|_| ())
}
