//! What reaches systemd: said by a process of its own, since the environment says where it listens.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::time::Duration;
use tidemill::systemd;

#[test]
#[ignore = "what the other tests start as a process of its own"]
fn child() {
    systemd::ready();
    systemd::status(&format!("every {:?}\nREADY=0", systemd::watchdog()));
    systemd::alive();
    systemd::stopping();
}

/// This binary again, with only the test above in it.
fn child_with(socket: Option<&str>, bites: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "notify::systemd::child", "--ignored"])
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_PID")
        .env("WATCHDOG_USEC", bites)
        .stdout(Stdio::null());
    if let Some(socket) = socket {
        command.env("NOTIFY_SOCKET", socket);
    }
    assert!(command.status().unwrap().success());
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(buffer.get(..length).unwrap()).into_owned()
}

fn hears_all(socket: UnixDatagram, name: &str) {
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    child_with(Some(name), "60000000");
    let said: Vec<_> = (0..4).map(|_| heard(&socket)).collect();
    assert_eq!(said, ["READY=1", "STATUS=every Some(30s) READY=0", "WATCHDOG=1", "STOPPING=1"]);
}

#[test]
fn a_socket_in_a_folder_hears_how_the_service_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    hears_all(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
}

#[test]
fn a_socket_without_a_file_hears_it_too() {
    let name = format!("tidemill-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    hears_all(UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
}

#[test]
fn without_a_service_manager_nothing_happens() {
    child_with(None, "60000000");
    child_with(None, "0");
    child_with(Some("/nowhere/at/all"), "nonsense");
}
