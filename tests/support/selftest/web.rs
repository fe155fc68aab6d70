//! Tests of the fake web site.

use std::collections::BTreeSet;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use super::super::fake_web::{BOMB_BYTES, FakeWeb, Fault};
use super::super::http::Gate;
use super::{ask, get, is_refused};

fn order_of_links(text: &str, n: usize) -> Vec<usize> {
    let place = |i: &usize| text.find(&format!("/articles/{i}<")).unwrap();
    let mut numbers: Vec<usize> = (1..=n).collect();
    numbers.sort_by_key(place);
    numbers
}

#[test]
fn articles_have_much_to_say_and_say_it_on_every_start() {
    let (web, again) = (FakeWeb::start().site(3), FakeWeb::start().site(3));
    for number in 1..=3 {
        let path = format!("/articles/{number}");
        let html = get(&web.url(&path)).text();
        assert_eq!(html, get(&again.url(&path)).text());
        let article = html.split("<article>").nth(1).unwrap().split("</article>").next().unwrap();
        assert!(article.matches("<p>").count() >= 6);
        let words = article.to_lowercase();
        let words: BTreeSet<_> = words.split(|c: char| !c.is_alphabetic()).collect();
        assert!(words.len() >= 120, "{} different words", words.len());
        assert_eq!(html.contains("/articles/1\""), number == 2);
        assert_eq!(html.contains("/articles/3\""), number == 2);
    }
    assert_ne!(get(&web.url("/articles/1")).body, get(&web.url("/articles/2")).body);
}

#[test]
fn lists_begin_with_the_newest_and_follow_every_edit() {
    let web = FakeWeb::start().site(3);
    for list in ["/feed.xml", "/sitemap.xml"] {
        assert_eq!(order_of_links(&get(&web.url(list)).text(), 3), [3, 2, 1]);
    }
    web.change("/articles/1", "<title>Correction</title><p>We were wrong.</p>");
    web.grow(4);
    let feed = get(&web.url("/feed.xml")).text();
    assert_eq!(order_of_links(&feed, 4), [4, 1, 3, 2]);
    assert!(feed.contains("<title>Correction</title>"));
    web.remove("/articles/3");
    assert_eq!(get(&web.url("/articles/3")).status, 404);
    for list in ["/", "/feed.xml", "/atom.xml", "/sitemap.xml"] {
        let text = get(&web.url(list)).text();
        assert!(text.contains("/articles/4") && !text.contains("/articles/3"), "{list}: {text}");
    }
}

#[test]
fn a_reader_who_has_the_page_gets_304_until_it_changes() {
    let web = FakeWeb::start().site(1);
    let url = web.url("/articles/1");
    let first = get(&url);
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    let again = || {
        [("if-none-match", tag), ("if-modified-since", date)]
            .map(|condition| ask(&url, "GET", &[condition], "").unwrap().status)
    };
    assert_eq!(again(), [304, 304]);
    assert_eq!((web.bodies(), web.not_modified(), web.hits("/articles/1")), (1, 2, 3));
    web.revise(1, 77);
    assert_eq!(again(), [200, 200]);
    assert_ne!(get(&url).body, first.body);
    assert_eq!((web.bodies(), web.not_modified()), (4, 2));

    let forgetful = FakeWeb::start().site(1).without_validators();
    assert_eq!(get(&forgetful.url("/articles/1")).header("etag"), None);
}

#[test]
fn robots_are_told_what_the_test_says() {
    let web = FakeWeb::start().site(1);
    assert!(get(&web.url("/robots.txt")).text().contains("Disallow: /private/\n"));
    assert_eq!(get(&web.url("/private/ledger")).status, 200);
    let strict = FakeWeb::start().robots("User-agent: *\nDisallow: /\n");
    assert_eq!(get(&strict.url("/robots.txt")).text(), "User-agent: *\nDisallow: /\n");
    let ill = FakeWeb::start().robots_status(503);
    assert_eq!(get(&ill.url("/robots.txt")).status, 503);
    assert_eq!(ill.bodies(), 0);
}

#[test]
fn passing_faults_pass_and_lasting_ones_can_be_healed() {
    let web = FakeWeb::start().site(2).retry_after("/articles/1", 7, 1).dropped("/articles/2", 1);
    let refused = get(&web.url("/articles/1"));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("7")));
    assert_eq!(get(&web.url("/articles/1")).status, 200);
    assert_eq!(ask(&web.url("/articles/2"), "GET", &[], ""), None);
    assert_eq!(get(&web.url("/articles/2")).status, 200);
    web.fault("/articles/2", Fault::Status { code: 500, retry_after: None, times: usize::MAX });
    assert_eq!(get(&web.url("/articles/2")).status, 500);
    web.heal("/articles/2");
    assert_eq!(get(&web.url("/articles/2")).status, 200);
}

#[test]
fn bodies_are_as_bad_as_they_were_ordered() {
    let web = FakeWeb::start()
        .page("/whole", "<p>0123456789</p>")
        .resource("/paper.pdf", "application/pdf", &b"%PDF-1.4"[..])
        .torn("/whole", 9)
        .big("/big", 1_000_001)
        .invalid_utf8("/odd")
        .empty("/nothing")
        .redirect_loop("/round");
    let torn = get(&web.url("/whole"));
    assert_eq!((torn.text().as_str(), torn.complete), ("<p>012345", false));
    let big = get(&web.url("/big"));
    assert_eq!(
        (big.body.len(), big.complete, big.header("content-length")),
        (1_000_001, true, None)
    );
    assert!(String::from_utf8(get(&web.url("/odd")).body).is_err());
    assert_eq!((get(&web.url("/nothing")).status, get(&web.url("/nothing")).body.len()), (200, 0));
    let hop = get(&web.url("/round"));
    assert_eq!((hop.status, hop.header("location")), (302, Some("/round/again")));
    assert_eq!(get(&web.url("/round/again")).header("location"), Some("/round"));
    assert_eq!(get(&web.url("/paper.pdf")).header("content-type"), Some("application/pdf"));
    assert_eq!(web.bodies(), 0, "no whole page was sent");
}

#[test]
fn a_bomb_is_small_until_it_is_opened() {
    let web = FakeWeb::start().bomb("/bomb");
    let bomb = get(&web.url("/bomb"));
    assert_eq!(bomb.header("content-encoding"), Some("gzip"));
    assert!(bomb.body.len() < 300_000, "{} bytes on the wire", bomb.body.len());
    let mut opened = flate2::read::GzDecoder::new(&bomb.body[..]);
    // To its end: a wrong checksum there would be an error.
    let (mut buffer, mut size) = (vec![0; 1 << 20], 0);
    loop {
        match opened.read(&mut buffer).unwrap() {
            0 => break,
            n => size += n,
        }
    }
    assert_eq!(size, BOMB_BYTES);
}

#[test]
fn a_closed_gate_shows_who_comes_in_parallel() {
    let gate = Gate::closed();
    let web = FakeWeb::start().site(2).slow("/articles/1", &gate);
    thread::scope(|scope| {
        let readers = [(); 3].map(|()| scope.spawn(|| get(&web.url("/articles/1")).status));
        web.wait_for_hits("/articles/1", 3);
        gate.wait_for_arrivals(3);
        assert_eq!((web.max_parallel(), web.bodies()), (3, 0));
        gate.release(2);
        gate.open();
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [200; 3]);
    });
    assert_eq!(web.bodies(), 3);
}

#[test]
fn one_request_after_the_other_is_never_parallel() {
    let latency = Duration::from_millis(5);
    let web = FakeWeb::start().site(1).latency(latency);
    let before = Instant::now();
    for _ in 0..5 {
        get(&web.url("/articles/1?page=2"));
    }
    assert_eq!(web.max_parallel(), 1);
    let gap = web.min_gap().unwrap();
    assert!(gap >= latency && gap <= before.elapsed() / 4, "{gap:?}");
    let seen = web.requests();
    assert_eq!((seen.len(), seen[0].query.as_str(), seen[4].nth), (5, "page=2", 5));
}

#[test]
fn a_site_that_was_away_comes_back_to_its_port() {
    let web = FakeWeb::start().site(1).status("/gone", 410);
    let url = web.url("/articles/1");
    for _ in 0..3 {
        web.go_away();
        assert!(is_refused(&url));
        web.come_back();
        assert_eq!(get(&url).status, 200);
    }
    assert_eq!(get(&web.url("/gone")).status, 410);
    drop(web);
    assert!(is_refused(&url));
}
