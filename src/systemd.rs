//! What systemd is told: ready, how it stands, still alive, stopping. All of it is nothing where
//! the service manager did not say where it listens (`NOTIFY_SOCKET`, sd_notify(3)).

use std::time::Duration;

/// The service is up: `systemctl start` returns.
pub fn ready() {
    tell(What::Ready);
}

/// The service stops; how long that may take says `TimeoutStopSec=`.
pub fn stopping() {
    tell(What::Stopping);
}

/// What `systemctl status` shows, in one line.
pub fn status(text: &str) {
    // A line break would begin another message.
    let line = text.split(char::is_control).collect::<Vec<_>>().join(" ");
    tell(What::Status(&line));
}

/// The service is alive: to be said every [`watchdog`], or it is killed and started again.
pub fn alive() {
    tell(What::Alive);
}

/// How often [`alive`] is to be called: twice in the time after which the watchdog (`WatchdogSec=`)
/// bites. `None` when there is none.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let bites = bites_after()?;
    (!bites.is_zero()).then_some(bites / 2)
}

enum What<'a> {
    Ready,
    Stopping,
    Status(&'a str),
    Alive,
}

#[cfg(target_os = "linux")]
fn tell(what: What<'_>) {
    use sd_notify::NotifyState;
    let state = match what {
        What::Ready => NotifyState::Ready,
        What::Stopping => NotifyState::Stopping,
        What::Status(line) => NotifyState::Status(line),
        What::Alive => NotifyState::Watchdog,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager cannot be told how this service is");
    }
}

#[cfg(target_os = "linux")]
fn bites_after() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(not(target_os = "linux"))]
fn tell(what: What<'_>) {
    if let What::Status(line) = what {
        tracing::trace!(line, "there is no service manager to tell");
    }
}

#[cfg(not(target_os = "linux"))]
fn bites_after() -> Option<Duration> {
    None
}
