//! What systemd is told: ready, how it stands, still alive, stopping. All of it is nothing where
//! the service manager did not say where it listens (`NOTIFY_SOCKET`, sd_notify(3)).

use std::time::Duration;

/// The service is up: `systemctl start` returns.
pub fn ready() {
    tell("READY=1");
}

/// The service stops; how long that may take says `TimeoutStopSec=`.
pub fn stopping() {
    tell("STOPPING=1");
}

/// What `systemctl status` shows, in one line.
pub fn status(text: &str) {
    // A line break would begin another message.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tell(&format!("STATUS={line}"));
}

/// The service is alive: to be said every [`watchdog`], or it is killed and started again.
pub fn alive() {
    tell("WATCHDOG=1");
}

/// How often [`alive`] is to be called: twice in the time after which the watchdog (`WatchdogSec=`)
/// bites. `None` when there is none, or it watches another process.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let (micros, pid) = (number("WATCHDOG_USEC")?, number("WATCHDOG_PID"));
    let meant = pid.is_none_or(|pid| pid == u64::from(std::process::id()));
    (meant && micros > 0).then(|| Duration::from_micros(micros) / 2)
}

#[cfg(target_os = "linux")]
fn tell(message: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
        return;
    };
    if let Err(error) = send(&place, message) {
        tracing::warn!(%error, "the service manager cannot be told how this service is");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_: &str) {}

#[cfg(target_os = "linux")]
fn send(place: &std::ffi::OsStr, message: &str) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A service manager that is stuck must not hold up the mill.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &address).map(|_| ())
}
