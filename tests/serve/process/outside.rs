//! Who looks on from outside: the listener, the service manager, and who is sent notices.

use super::{AT_STARTUP, FIRINGS, SOME_DAY, pages, remember, serve, until};
use crate::notify::get;
use crate::support::fake_web::FakeWeb;
use crate::support::http::{Gate, Reply, Server};
use crate::support::program::Place;
use serde_json::Value;
use std::net::SocketAddr;

/// Says where notices of a done run go, or those of a kind.
fn tell(place: &Place, kind: &str, url: &str, on: &str) {
    place.run(&["notify", "add", "t", kind, url, "--on", on]).code(0);
}

#[test]
fn a_server_that_listens_says_where_and_answers() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    let serving = serve(&place, &["--listen", "127.0.0.1:0"]);
    let line = serving.says("listens on http://");
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let well = get(address, "/healthz");
    assert!(well.starts_with("HTTP/1.1 200 ") && well.contains("\"ok\""), "{well}");
    until(&place, FIRINGS, "fired published finished 1");
    let numbers = get(address, "/metrics");
    assert!(numbers.starts_with("HTTP/1.1 200 ") && numbers.contains("\"news\""), "{numbers}");

    let second = Place::new();
    remember(&second, "idle", &pages(&web), &SOME_DAY);
    let taken = second.run(&["serve", "--listen", &address.to_string()]).code(2);
    taken.says(&format!("cannot listen on {address}"));
    serving.stop();
    assert!(std::net::TcpStream::connect(address).is_err(), "it still listens");
}

#[cfg(target_os = "linux")]
#[test]
fn the_service_manager_hears_that_it_is_ready_alive_and_stops() {
    use super::child::Child;
    let place = Place::new();
    remember(&place, "idle", &["demo:".into()], &SOME_DAY);
    let socket = std::os::unix::net::UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let heard = |wanted: &str| {
        let mut all = Vec::new();
        let mut buffer = [0; 512];
        while all.last().is_none_or(|last| last != wanted) {
            let length = socket.recv(&mut buffer).unwrap();
            all.push(String::from_utf8_lossy(buffer.get(..length).unwrap()).into_owned());
        }
        all
    };
    let mut command = place.command(&["serve"]);
    command
        .env("NOTIFY_SOCKET", place.path("notify"))
        .env("WATCHDOG_USEC", "100000")
        .env_remove("WATCHDOG_PID");
    let serving = Child::start(command);
    assert_eq!(heard("READY=1"), ["STATUS=1 schedule", "READY=1"]);
    // Ready is said once, alive again and again.
    assert_eq!(heard("WATCHDOG=1"), ["WATCHDOG=1"]);
    assert_eq!(heard("WATCHDOG=1"), ["WATCHDOG=1"]);
    serving.terminate();
    let last = heard("STOPPING=1");
    assert!(last.iter().rev().skip(1).all(|said| said == "WATCHDOG=1"), "{last:?}");
    serving.ended().code(0);
}

#[test]
fn a_heartbeat_and_a_notice_with_counts_arrive() {
    let (web, place) = (FakeWeb::start().site(1).empty("/empty"), Place::new());
    remember(&place, "news", &[web.url("/articles/1"), web.url("/empty")], &AT_STARTUP);
    let phone = Server::start(|_| Reply::full(200, "text/plain", "ok"));
    tell(&place, "webhook", &(phone.url() + "/hook"), "done,parked");
    let serving = serve(&place, &["--parked-limit", "0"]);
    phone.wait_for_hits("/hook", 2);
    serving.stop();
    let requests = phone.requests();
    let bodies = requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap());
    let bodies: Vec<Value> = bodies.collect();
    assert_eq!((&bodies[0]["kind"], &bodies[1]["kind"]), (&"done".into(), &"parked".into()));
    assert_eq!(bodies[1]["text"], "news: 1 items are set aside, 1 of them in this run");
    assert_eq!(bodies[1]["items"]["done"], 1, "{bodies:?}");
    assert!(!requests.iter().any(|request| request.body.windows(6).any(|w| w == b"/empty")));
}

#[test]
fn a_notice_that_was_not_taken_arrives_after_the_next_start() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    let check = Server::start(|_| Reply::full(200, "text/plain", "ok"));
    tell(&place, "ping", &(check.url() + "/ping"), "done");
    check.go_away();
    let first = serve(&place, &[]);
    until(&place, "SELECT CAST(tries AS TEXT) FROM tm_notices", "1");
    first.stop();
    check.come_back();
    assert_eq!(check.hits("/ping"), 0);
    // Half a minute goes by, after which it is tried again; and its schedule is let go.
    let ledger = rusqlite::Connection::open(place.home().join("tidemill.db")).unwrap();
    assert_eq!(ledger.execute("UPDATE tm_notices SET next_try_at = 0", []).unwrap(), 1);
    drop(ledger);
    place.run(&["digest", "--forget", "news"]).code(0);
    let second = serve(&place, &[]);
    check.wait_for_hits("/ping", 1);
    until(&place, "SELECT CAST(count(sent_at) AS TEXT) FROM tm_notices", "1");
    second.stop();
    assert_eq!(check.hits("/ping"), 1);
}

#[test]
fn a_notice_on_its_way_when_the_server_is_killed_is_sent_again() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    let gate = Gate::closed();
    let held = gate.clone();
    let check = Server::start(move |_| Reply::full(200, "text/plain", "ok").held_by(held.clone()));
    tell(&place, "ping", &(check.url() + "/ping"), "done");
    let first = serve(&place, &[]);
    check.wait_for_hits("/ping", 1);
    first.kill();
    gate.open();
    place.run(&["digest", "--forget", "news"]).code(0);
    let second = serve(&place, &[]);
    until(&place, "SELECT CAST(count(sent_at) AS TEXT) FROM tm_notices", "1");
    second.stop();
    assert_eq!(check.hits("/ping"), 2, "rather twice than never");
}

#[test]
fn a_run_that_is_published_is_told_of_though_its_server_was_killed_before_it_could() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    remember(&place, "news", &pages(&web), &AT_STARTUP);
    let check = Server::start(|_| Reply::full(200, "text/plain", "ok"));
    tell(&place, "ping", &(check.url() + "/ping"), "done");
    super::points::dies(&place, "publish.committed", 1);
    assert_eq!(check.hits("/ping"), 0);
    let second = serve(&place, &[]);
    check.wait_for_hits("/ping", 1);
    until(&place, FIRINGS, "fired published finished 1");
    second.stop();
}
