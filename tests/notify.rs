//! Promise: who does not look is told, secrets stay secret, and others can see how the mill is.

mod listen;
mod metrics;
mod service;
#[cfg(target_os = "linux")]
mod systemd;
mod targets;
mod verbs;

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of a home that says where notices go.
fn file(home: &Path) -> PathBuf {
    home.join("secrets/notify")
}

/// Writes that file as a person would, for nobody else to read.
fn name_targets(home: &Path, lines: &str) {
    let file = file(home);
    let folder = file.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
    fs::write(&file, lines).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
}

/// Sends a request as it stands and returns all that comes back.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks for a path as a program on this machine does.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n"))
}
