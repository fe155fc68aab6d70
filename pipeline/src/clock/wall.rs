//! Between wall clock and instant: a zone's offsets, their changes, and what the clock showed when.
//!
//! Everything here counts seconds: an instant since 1970 in UTC, a wall-clock time since 1970 as if
//! it were UTC. So nothing can overflow, and no clock change hides in a type.

use super::Zone;
use chrono::{DateTime, Offset, TimeZone};

/// Offsets are compared this often. Two changes have never been, nor are planned, closer than six
/// days (Gaza, October 2040); whatever changed back between two looks would be missed.
const STEP: i64 = 2 * 24 * 3600;

/// No offset is as large, nor ever was (Alaska had +15:13).
const REACH: i64 = 16 * 3600;

/// No clock goes back by as much at once.
const BACK: i64 = 26 * 3600;

/// A change of offset: daylight saving begins or ends, or a country changes its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// The first second of the new offset.
    pub(super) at: i64,
    before: i64,
    pub(super) after: i64,
}

impl Change {
    /// What the wall clock shows in the last second of the old offset.
    fn shown_before(self) -> i64 {
        self.at - 1 + self.before
    }

    /// What the wall clock shows in the first second of the new one.
    pub(super) fn shown_first(self) -> i64 {
        self.at + self.after
    }
}

/// The changes behind one instant, up to and with another, in order.
struct Changes {
    zone: Zone,
    at: i64,
    offset: i64,
    until: i64,
}

impl Iterator for Changes {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        while self.at < self.until {
            let probe = self.until.min(self.at + STEP);
            if self.zone.offset(probe)? == self.offset {
                self.at = probe;
                continue;
            }
            let (mut low, mut high) = (self.at, probe);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                let same = self.zone.offset(middle)? == self.offset;
                if same { low = middle } else { high = middle }
            }
            let change = Change { at: high, before: self.offset, after: self.zone.offset(high)? };
            (self.at, self.offset) = (change.at, change.after);
            return Some(change);
        }
        None
    }
}

impl Zone {
    /// Seconds that the wall clock is ahead of UTC.
    pub(super) fn offset(self, at: i64) -> Option<i64> {
        let utc = DateTime::from_timestamp(at, 0)?.naive_utc();
        Some(i64::from(self.0.offset_from_utc_datetime(&utc).fix().local_minus_utc()))
    }

    fn changes(self, from: i64, until: i64) -> Option<Changes> {
        Some(Changes { zone: self, at: from, offset: self.offset(from)?, until })
    }

    /// The first change behind `from`, up to and with `until`.
    pub(super) fn change(self, from: i64, until: i64) -> Option<Change> {
        self.changes(from, until)?.next()
    }

    /// The latest that the wall clock ever showed, up to and with an instant. In the second pass of
    /// an overlap that is the end of the first.
    pub(super) fn furthest(self, at: i64) -> Option<i64> {
        let mut changes = self.changes(at - BACK, at)?;
        let before = changes.by_ref().map(|change| change.shown_before()).max();
        let shown = at + changes.offset;
        Some(before.map_or(shown, |before| before.max(shown)))
    }

    /// The first instant at which the wall clock shows this time or a later one: the first pass of
    /// an overlap, and the end of a gap for a time that is skipped.
    pub(super) fn first_shown(self, wall: i64) -> Option<i64> {
        let mut start = wall - REACH;
        let mut offset = self.offset(start)?;
        for change in self.changes(start, wall + REACH)? {
            let at = start.max(wall - offset);
            if at < change.at {
                return Some(at);
            }
            (start, offset) = (change.at, change.after);
        }
        Some(start.max(wall - offset))
    }

    /// Whether the wall clock showed at an earlier instant what it shows now.
    pub(super) fn is_second_pass(self, at: i64) -> Option<bool> {
        let shown = at + self.offset(at)?;
        Some(self.changes(at - BACK, at)?.any(|change| change.shown_before() >= shown))
    }

    /// Whether the wall clock will show again what it shows now.
    pub(super) fn is_first_pass(self, at: i64) -> Option<bool> {
        let shown = at + self.offset(at)?;
        Some(self.changes(at, at + BACK)?.any(|change| change.shown_first() <= shown))
    }
}
