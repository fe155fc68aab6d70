//! Where the demo site listens: on loopback, and for one home always on the same port.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use tidemill_pipeline::{Error, Result, ResultExt as _};

/// How many ports after the first one are tried.
const SPARE: u16 = 20;

/// The port that belongs to a home: 20000 to 29999, from the hash of its path.
///
/// The addresses of the demo's pages are the keys of its rows; a port that changed from run to run
/// would make every page a new one. Give it an absolute path, as [`bind`] does: the path is taken
/// as it is written, only doubled and trailing slashes make no difference.
#[must_use]
pub fn port_for(home: &Path) -> u16 {
    let mut hasher = blake3::Hasher::new();
    for part in home.components() {
        hasher.update(part.as_os_str().as_encoded_bytes()).update(&[0]);
    }
    let [low, high, ..] = *hasher.finalize().as_bytes();
    20_000 + u16::from_le_bytes([low, high]) % 10_000
}

/// Binds the home's port on 127.0.0.1, or the first free one of the twenty after it.
///
/// # Errors
/// When none of the 21 ports can be had, or the current folder, needed for a relative path, is
/// gone.
pub fn bind(home: &Path) -> Result<TcpListener> {
    let home = std::path::absolute(home).doing("finding the port of the demo site").or_halt()?;
    let first = port_for(&home);
    for port in first..=first + SPARE {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok(listener),
            // Denied is what Windows says of the ranges it keeps for itself.
            Err(error) if is_taken(error.kind()) => {}
            Err(error) => {
                return Err(Error::halt(format!("cannot listen on 127.0.0.1:{port}"))
                    .because("demo_port")
                    .caused_by(error));
            }
        }
    }
    Err(Error::halt(format!("ports {first} to {} of 127.0.0.1 are all taken", first + SPARE))
        .because("demo_port")
        .help("stop what listens there, or use another home"))
}

fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}
