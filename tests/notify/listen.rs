//! The listener: what it answers, and whom it does not.

use super::{ask, get};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidemill::health::Health;
use tidemill::listen::Listener;
use tidemill_pipeline::mill::{Home, HomeOptions};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn home() -> (TempDir, Arc<Home>) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path(), HomeOptions::owner()).unwrap();
    (folder, Arc::new(home))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_whether_the_mill_is_well() {
    let (_folder, home) = home();
    let listener = Listener::start(LOOPBACK, false, Arc::clone(&home), Health::new()).unwrap();
    let answer = get(listener.address(), "/healthz");
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(
        answer.contains("application/json") && answer.contains(r#"{"status":"ok"}"#),
        "{answer}"
    );

    // With no patience at all each sign of life is too old.
    let health = Health::with_patience(Duration::ZERO);
    let listener = Listener::start(LOOPBACK, false, home, health).unwrap();
    assert_eq!(status(&get(listener.address(), "/healthz")), "503");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_two_paths_and_two_methods() {
    let (_folder, home) = home();
    let listener = Listener::start(LOOPBACK, false, home, Health::new()).unwrap();
    let address = listener.address();
    let with = |method: &str, path: &str| {
        ask(address, &format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    };
    assert_eq!(status(&with("GET", "/metrics")), "200");
    for path in ["/", "/metrics/", "/healthz/x", "/../healthz"] {
        assert_eq!(status(&with("GET", path)), "404", "{path}");
    }
    let head = with("HEAD", "/healthz");
    assert!(status(&head) == "200" && head.ends_with("\r\n\r\n"), "{head}");
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = with(method, "/healthz");
        assert!(status(&answer) == "405" && answer.contains("allow: GET, HEAD"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_to_no_name_but_localhost() {
    let (_folder, home) = home();
    let listener = Listener::start(LOOPBACK, false, home, Health::new()).unwrap();
    let address = listener.address();
    let with = |head: &str| ask(address, &format!("GET {head}\r\n\r\n"));
    for head in ["host: 127.0.0.1:80", "host: localhost", "Host: [::1]:9464"] {
        assert_eq!(status(&with(&format!("/healthz HTTP/1.1\r\n{head}"))), "200", "{head}");
    }
    for host in
        ["evil.example", "evil.example:9464", "localhost.evil.example", "127.0.0.1.evil.example"]
    {
        let answer = with(&format!("/metrics HTTP/1.1\r\nhost: {host}"));
        assert_eq!(status(&answer), "421", "{host}: {answer}");
        assert!(!answer.contains("tidemill_"), "{answer}");
    }
    let inside = with("http://evil.example/metrics HTTP/1.1\r\nhost: localhost");
    assert_eq!(status(&inside), "421", "{inside}");
    assert_eq!(status(&with("/metrics HTTP/1.1\r\naccept: */*")), "400");
    let twice = with("/metrics HTTP/1.1\r\nhost: localhost\r\nhost: evil.example");
    assert_eq!(status(&twice), "400", "{twice}");
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused() {
    let (_folder, home) = home();
    let start = |address: &str, allowed| {
        Listener::start(address.parse().unwrap(), allowed, Arc::clone(&home), Health::new())
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
        let error = start(address, false).unwrap_err();
        assert_eq!(error.reason(), "listen_public", "{address}");
    }
    // This one belongs to nobody: with leave it is tried, and cannot be had.
    assert_eq!(start("192.0.2.1:0", true).unwrap_err().reason(), "listen");
    assert!(start("[::ffff:127.0.0.1]:0", false).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_is_shown_out() {
    let (_folder, home) = home();
    let listener = Listener::start(LOOPBACK, false, home, Health::new()).unwrap();
    let address = listener.address();
    let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    // All places are taken: this is answered when the silent ones have lost theirs.
    assert_eq!(status(&get(address, "/healthz")), "200");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_when_it_is_dropped() {
    let (_folder, home) = home();
    let listener = Listener::start(LOOPBACK, false, home, Health::new()).unwrap();
    let address = listener.address();
    assert_eq!(status(&get(address, "/healthz")), "200");
    drop(listener);
    let mut tries = 0;
    while TcpStream::connect(address).is_ok() {
        tries += 1;
        assert!(tries < 10_000, "it still listens");
        tokio::task::yield_now().await;
    }
}
