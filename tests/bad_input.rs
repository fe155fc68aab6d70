//! Promise: bad input gets a clear word and loses nothing.

use crate::support::fake_web::FakeWeb;
use crate::support::mounted::Mounted;
use crate::support::program::{Place, files};

/// Each bad page is parked with its reason; the good one beside it gets through.
#[test]
fn each_bad_page_is_parked_with_its_reason_and_the_others_go_on() {
    let web = FakeWeb::start()
        .site(1)
        .status("/gone", 404)
        .big("/huge", 50 << 20)
        .bomb("/bomb")
        .invalid_utf8("/bytes")
        .empty("/empty")
        .page("/torn", "<html><body><p>Half of this page never comes.</p></body></html>")
        .torn("/torn", 40)
        .redirect_loop("/loop");
    let place = Place::new();
    let paths = [
        "/gone",
        "/huge",
        "/bomb",
        "/bytes",
        "/empty",
        "/torn",
        "/loop",
        "/private/ledger",
        "/articles/1",
    ];
    let urls: Vec<String> = paths.iter().map(|path| web.url(path)).collect();
    let mut arguments: Vec<&str> = vec!["digest", "--delay", "0s"];
    arguments.extend(urls.iter().map(String::as_str));
    arguments.push("http://127.0.0.1:1/unreachable");
    arguments.push("not an address");
    let report = place.json(1, &arguments);
    let parked = place.json(0, &["parked"]);
    let reason = |path: &str| {
        let found = parked
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["key"].as_str().unwrap().ends_with(path));
        let item = found.unwrap_or_else(|| panic!("{path} is not parked: {parked:#}"));
        assert!(item["help"].is_string(), "{item}");
        item["reason"].as_str().unwrap().to_string()
    };
    assert_eq!(reason("/gone"), "http_404");
    assert_eq!(reason("/huge"), "too_large");
    assert_eq!(reason("/bomb"), "too_large");
    assert_eq!(reason("/empty"), "empty_page");
    assert_eq!(reason("/torn"), "broken_answer");
    assert_eq!(reason("/loop"), "redirect_loop");
    assert_eq!(reason("/private/ledger"), "robots_denied");
    assert_eq!(reason("/unreachable"), "robots_unreachable");
    assert_eq!(reason("not an address"), "bad_url");
    assert!(
        place.count("SELECT count(*) FROM digests WHERE url LIKE '%/articles/1'") == 1,
        "{report:#}"
    );
    let bytes = place.count("SELECT count(*) FROM digests WHERE url LIKE '%/bytes'");
    assert_eq!(bytes, 1, "bytes that are no UTF-8 are read as well as can be");
    assert_eq!(report["offload"]["state"], "done");
    assert_eq!(place.count("SELECT count(*) FROM digests WHERE instr(summary, char(0)) > 0"), 0);
}

#[test]
fn a_feed_that_is_no_feed_is_said_to_be_none() {
    let web = FakeWeb::start().resource("/feed", "application/rss+xml", b"<rss><channel>".to_vec());
    let place = Place::new();
    place.json(1, &["digest", &web.url("/feed"), "--delay", "0s"]);
    let parked = place.json(0, &["parked"]);
    assert_eq!(parked[0]["reason"], "not_a_feed", "{parked:#}");
}

#[test]
fn a_page_that_is_down_for_a_night_is_asked_for_again() {
    let web = FakeWeb::start().site(3).status("/articles/2", 503);
    let place = Place::new();
    let command = ["digest", &web.url("/feed.xml"), "--delay", "0s"].map(str::to_string);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    assert_eq!(place.json(1, &command)["items"]["parked"], 1);
    web.heal("/articles/2");
    let next = place.json(0, &command);
    assert_eq!(
        (&next["items"]["done"], &next["items"]["unchanged"]),
        (&1.into(), &2.into()),
        "{next:#}"
    );
    assert_eq!(place.json(0, &["parked"]).as_array().unwrap().len(), 0, "it is off the list");
}

#[test]
fn a_feed_that_could_not_be_read_leaves_the_list_when_it_can() {
    let web = FakeWeb::start().site(1).status("/feed.xml", 500);
    let place = Place::new();
    let feed = web.url("/feed.xml");
    place.run(&["digest", &feed, "--delay", "0s"]).code(1);
    assert_eq!(place.json(0, &["parked"])[0]["reason"], "http_500");
    web.heal("/feed.xml");
    place.run(&["digest", &feed, "--delay", "0s"]).code(0);
    assert_eq!(place.json(0, &["parked"]).as_array().unwrap().len(), 0);
}

#[test]
fn a_key_in_an_address_is_written_down_nowhere() {
    const KEY: &str = "k3yThatNobodyMaySee";
    let page = format!("<p>A page of some words.</p><a href='/next?token={KEY}'>next</a>");
    let web = FakeWeb::start().page("/page", &page);
    let place = Place::new();
    let (page, secret) = (web.url("/page"), web.url(&format!("/page?api_key={KEY}")));
    let login = page.replace("http://", &format!("http://me:{KEY}@"));
    let ended = place.run(&["digest", &page, &secret, &login, "--depth", "1", "--delay", "0s"]);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!said.contains(KEY), "{said}");
    assert!(place.run(&["parked"]).stdout.contains("secret_in_url"));
    for file in files(&place.home()).iter().filter(|file| !file.ends_with("part-0000.warc.gz")) {
        let bytes = std::fs::read(file).unwrap();
        let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!found, "the key is in {}", file.display());
    }
}

#[test]
fn wrong_words_on_the_command_line_are_refused_with_the_right_ones() {
    let place = Place::new();
    place.run(&["digest"]).code(2).says("no address was given");
    place.run(&["digest", "--from", "nowhere.txt"]).code(2).says("nowhere.txt");
    place.run(&["run"]).code(2).says("tidemill new DIR");
    place.run(&["status"]).code(2).says("there is no mill in");
    place.run(&["extract", "nowhere.html"]).code(2).says("nowhere.html");
    place.run(&["new", "1bad"]).code(2).says("begin with a letter");
}

#[test]
fn two_programs_on_one_home_do_not_meet() {
    let ollama = crate::support::fake_ollama::FakeOllama::start();
    let web = FakeWeb::start().site(1);
    let place = Place::new().with_ollama(&ollama.url());
    ollama.hold();
    let seed = web.url("/sitemap.xml");
    let mut first = place.start(&["digest", &seed, "--delay", "0s"]);
    ollama.wait_for_started(1);
    let second = place.run(&["digest", &seed]).code(75);
    assert!(second.stderr.contains(&format!("process {}", first.id())), "{}", second.stderr);
    place.run(&["status"]).code(0); // looking needs no lock
    ollama.release_all();
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn a_read_only_archive_makes_the_files_wait() {
    let web = FakeWeb::start().site(2);
    let place = Place::new();
    place.run(&["archive", "init", "nas"]).code(0);
    let nas = place.path("nas");
    let Some(_mount) = Mounted::read_only(&nas) else { return };
    let report =
        place.json(0, &["digest", &web.url("/sitemap.xml"), "--delay", "0s", "--archive", "nas"]);
    assert_eq!(report["offload"]["state"], "waiting", "{report:#}");
    assert!(!place.scratch().is_empty());
}

#[test]
fn a_home_on_a_file_system_that_sqlite_cannot_trust_is_refused() {
    let place = Place::new();
    let home = place.home();
    std::fs::create_dir_all(&home).unwrap();
    let Some(_mount) = Mounted::exfat(&place.path("disk.img"), &home) else { return };
    let refused = place.json(2, &["demo"]);
    assert_eq!(refused["error"]["reason"], "home_unfit", "{refused:#}");
    assert!(refused["error"]["help"].as_str().unwrap().contains("local disk"));
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "nothing was made there");
}

#[test]
fn a_full_disk_stops_the_run_and_room_lets_it_go_on() {
    let web = FakeWeb::start().site(3);
    let place = Place::new();
    let home = place.home();
    std::fs::create_dir_all(&home).unwrap();
    let Some(_mount) = Mounted::tmpfs(&home, "2m") else { return };
    std::fs::write(home.join("ballast"), vec![1; 1_500_000]).unwrap();
    let seed = web.url("/sitemap.xml");
    let command = ["digest", &seed, "--delay", "0s"];
    let full = place.json(2, &command);
    assert!(full["error"]["help"].to_string().contains("space"), "{full:#}");
    std::fs::remove_file(home.join("ballast")).unwrap();
    place.run(&["digest", &seed, "--delay", "0s", "--archive", "nas"]).code(2);
    place.run(&["archive", "init", "nas"]).code(0);
    place.run(&["digest", &seed, "--delay", "0s", "--archive", "nas"]).code(0);
    assert!(place.count("SELECT count(*) FROM digests") >= 3);
}
