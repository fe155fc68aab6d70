//! `notify` as a person types it.

use super::{file, name_targets};
use crate::support::http::{Reply, Server};
use crate::support::program::{Ended, Place, ended};
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use tidemill_pipeline::mill::{Home, HomeOptions};

/// A place with a home in it.
fn place() -> Place {
    let place = Place::new();
    drop(Home::open(&place.home(), HomeOptions::owner()).unwrap());
    place
}

/// Nothing that was said shows a secret.
#[track_caller]
fn keeps(said: Ended) -> Ended {
    let all = format!("{} {}", said.stdout, said.stderr);
    assert!(!all.contains("s3cret"), "{all}");
    said
}

/// Runs a command with this on its stdin.
fn run_with(place: &Place, arguments: &[&str], input: &str) -> Ended {
    let mut command = place.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ended(child.wait_with_output().unwrap())
}

#[test]
fn targets_are_added_listed_and_taken_out() {
    let place = place();
    // Somebody else works in the home: that does not matter.
    let _owner = Home::open(&place.home(), HomeOptions::owner()).unwrap();
    assert!(place.run(&["notify", "ls"]).code(0).stdout.contains("notices go nowhere"));
    let add = ["notify", "add", "phone", "ntfy", "https://ntfy.example/s3cret"];
    let said = keeps(place.run(&add).code(0)).stdout;
    assert!(said.contains("phone  ntfy at ntfy.example  on failed,parked,away,yield"), "{said}");
    keeps(place.run(&add).code(2).says("there is a target `phone` already"));
    let add =
        ["notify", "add", "beat", "ping", "https://u:s3cret@hc.example/s3cret", "--on", "failed"];
    keeps(place.run(&add).code(0));

    keeps(place.run(&["notify", "ls", "-q"]).code(0));
    let list = place.json(0, &["notify", "ls"]);
    assert_eq!(list[0]["host"], "ntfy.example", "{list:#}");
    assert_eq!(list[1]["on"], serde_json::json!(["failed"]), "{list:#}");
    assert!(!list.to_string().contains("s3cret"), "{list:#}");

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file(&place.home())), 0o600);
    assert_eq!(mode(place.home().join("secrets")), 0o700);

    place.run(&["notify", "rm", "nobody"]).code(2).says("there is no target");
    assert_eq!(place.json(0, &["notify", "rm", "phone"])["removed"], "phone");
    assert_eq!(place.json(0, &["notify", "ls"]).as_array().unwrap().len(), 1);
}

#[test]
fn secrets_can_be_typed_where_no_history_keeps_them() {
    let place = place();
    let add = ["notify", "add", "a", "webhook", "-", "--token-stdin"];
    keeps(run_with(&place, &add, "https://x.example/s3cret\ns3cret-token\n").code(0));
    let add = ["notify", "add", "b", "ntfy", "http://127.0.0.1/s3cret", "--token-stdin"];
    keeps(run_with(&place, &add, "s3cret-token").code(0));
    let text = fs::read_to_string(file(&place.home())).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let on = "on=failed,parked,away,yield token=s3cret-token";
    assert_eq!(lines[0], format!("a webhook https://x.example/s3cret {on}"));
    assert_eq!(lines[1], format!("b ntfy http://127.0.0.1/s3cret {on}"));
}

#[test]
fn mistakes_are_named_and_show_no_address() {
    let place = place();
    for (arguments, why) in [
        (["a b", "ntfy", "https://x.example/s3cret"], "its name must be"),
        (["a", "https://x.example/s3cret", "ntfy"], "none of webhook, ntfy, ping"),
        (["a", "ntfy", "ftp://x.example/s3cret"], "https:// or http://"),
        (["a", "ntfy", "s3cret"], "is no URL"),
    ] {
        let command: Vec<_> = ["notify", "add"].into_iter().chain(arguments).collect();
        keeps(place.run(&command).code(2).says(why));
    }
    assert!(!file(&place.home()).exists());
    let secrets = place.home().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::set_permissions(&secrets, Permissions::from_mode(0o750)).unwrap();
    let add = ["notify", "add", "a", "ntfy", "https://x.example/s3cret"];
    keeps(place.run(&add).code(2).says("others may read").says("chmod 700"));
    assert!(!file(&place.home()).exists());

    name_targets(&place.home(), "# ours\na telegram https://x.example/s3cret\n");
    for command in [&["notify", "ls"][..], &["notify", "test"]] {
        keeps(place.run(command).code(2).says("line 2 of"));
    }
    name_targets(&place.home(), "a ntfy https://x.example/s3cret\n");
    fs::set_permissions(file(&place.home()), Permissions::from_mode(0o644)).unwrap();
    keeps(place.run(&["notify", "ls"]).code(2).says("others may read").says("chmod 600"));
    keeps(place.run(&["notify", "test"]).code(2).says("chmod 600"));
}

#[test]
fn a_test_says_where_it_arrived() {
    let place = place();
    place.run(&["notify", "test"]).code(2).says("notices go nowhere");
    let server = Server::start(|request| match request.path.as_str() {
        "/well/s3cret" => Reply::full(200, "text/plain", "ok"),
        _ => Reply::full(404, "text/plain", "nothing at s3cret"),
    });
    let lines = "well webhook URL/well/s3cret token=s3cret\nill ntfy URL/ill/s3cret\n";
    name_targets(&place.home(), &lines.replace("URL", &server.url()));

    let ended = keeps(place.run(&["notify", "test"]).code(2));
    assert!(ended.stdout.contains("well: the test was taken"), "{}", ended.stdout);
    ended.says("the target ill refuses the notice: HTTP 404").says("look at its address");
    keeps(place.run(&["notify", "test", "well"]).code(0));
    place.run(&["notify", "test", "nobody"]).code(2).says("there is no target");
    let tested = place.json(2, &["notify", "test"]);
    assert_eq!((&tested[0]["arrived"], &tested[1]["arrived"]), (&true.into(), &false.into()));

    let sent = server.requests().remove(0);
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["kind"], "test", "{body:#}");
}

#[test]
fn the_most_talkative_log_shows_no_secret() {
    let place = place();
    let server = Server::start(|_| Reply::full(503, "text/plain", "s3cret"));
    let lines = "a webhook URL/s3cret token=s3cret\nb ping http://127.0.0.1:1/s3cret\n";
    name_targets(&place.home(), &lines.replace("URL", &server.url()));
    let mut command = place.command(&["notify", "test", "-vv"]);
    let said = ended(command.env("TIDEMILL_LOG", "trace").output().unwrap());
    assert!(said.stderr.lines().count() > 10, "there is a log: {}", said.stderr);
    keeps(said.code(2));
}

#[test]
fn each_verb_has_help_with_an_example_and_makes_no_home() {
    let place = Place::new();
    for verb in [
        &["notify"][..],
        &["notify", "add"],
        &["notify", "ls"],
        &["notify", "rm"],
        &["notify", "test"],
        &["service"],
        &["service", "print"],
    ] {
        let help = [verb, &["--help"]].concat();
        let help = place.run(&help).code(0).stdout;
        assert!(help.contains("Example:  tidemill "), "{verb:?}: {help}");
    }
    let add = ["notify", "add", "a", "ntfy", "https://x.example/s3cret"];
    for verb in [&add[..], &["notify", "ls"], &["notify", "rm", "a"], &["notify", "test"]] {
        keeps(place.run(verb).code(2).says("there is no mill in"));
        assert!(!place.home().exists(), "{verb:?} made the home");
    }
}
