//! Who works on a run: told apart from one that was killed by boot, process and sign of life.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An owner that gave no sign of life for this long is taken for dead, in milliseconds.
const SILENCE: i64 = 60_000;

/// The process that works on a run, or did so last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's boot it ran in; another one now means that it is gone.
    pub boot: String,
    /// Its process number.
    pub pid: i64,
    /// Its last sign of life, milliseconds since 1970.
    pub beat_at: i64,
}

impl Owner {
    /// This process, with a sign of life now.
    pub(crate) fn me(now: DateTime<Utc>) -> Self {
        Self { boot: boot(), pid: i64::from(std::process::id()), beat_at: now.timestamp_millis() }
    }

    pub(crate) fn from_columns(
        boot: Option<String>,
        pid: Option<i64>,
        beat_at: Option<i64>,
    ) -> Option<Self> {
        Some(Self { boot: boot?, pid: pid?, beat_at: beat_at? })
    }

    /// Whether this process is there, on this boot of this machine.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.boot == boot() && process_is_there(self.pid)
    }

    /// Whether it is at work now, as far as can be told from here.
    #[must_use]
    pub fn is_alive(&self, now: DateTime<Utc>) -> bool {
        let silent = now.timestamp_millis().saturating_sub(self.beat_at);
        silent < SILENCE && self.is_there()
    }
}

/// An id of the machine's boot; the same until it is started again.
fn boot() -> String {
    let linux = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    linux.map_or_else(|_| "unknown".into(), |id| id.trim().to_string())
}

fn process_is_there(pid: i64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // A process of another user cannot be asked, but it is there.
    pid.is_some_and(|pid| {
        !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn i_am_alive_and_the_silent_the_gone_and_the_rebooted_are_not() {
        let now = DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap();
        let me = Owner::me(now);
        assert!(me.is_alive(now));
        assert!(!me.is_alive(now + TimeDelta::minutes(2)));
        let elsewhere = Owner { boot: "other".into(), ..me };
        assert!(!elsewhere.is_alive(now));
        let gone = Owner { boot: boot(), pid: i64::from(i32::MAX), ..elsewhere };
        assert!(!gone.is_alive(now));
    }
}
