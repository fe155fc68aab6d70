//! `parked`: what was set aside is shown, tried again, or dropped; and never by accident.

use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;

/// A home with so many pages set aside, all for the same reason.
fn set_aside(pages: usize) -> (FakeWeb, Place) {
    let mut web = FakeWeb::start();
    for page in 1..=pages {
        web = web.empty(&format!("/empty/{page:02}"));
    }
    let place = Place::new();
    place.run(&digest(&web, pages)).code(1);
    (web, place)
}

fn digest(web: &FakeWeb, pages: usize) -> Vec<&'static str> {
    let urls = (1..=pages).map(|page| web.url(&format!("/empty/{page:02}")));
    let mut arguments = vec!["digest", "--delay", "0s"];
    arguments.extend(urls.map(|url| &*url.leak()));
    arguments
}

fn keys(place: &Place, arguments: &[&str]) -> Vec<String> {
    let items = place.json(0, arguments);
    items.as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().into()).collect()
}

#[test]
fn one_item_is_shown_whole() {
    let (web, place) = set_aside(2);
    let key = web.url("/empty/01");
    let shown = place.json(0, &["parked", "show", &key]);
    assert_eq!(shown[0]["item"]["url"], key.as_str(), "{shown:#}");
    assert_eq!(shown[0]["stage"], "extract");
    let text = place.run(&["parked", "show", &key]).code(0).stdout;
    for part in ["reason  empty_page", "stage   extract", "\"status\": 200", "help    "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    place.run(&["parked", "show", "/empty/0"]).code(2).says(&key);
    place.run(&["parked", "show", "nothing"]).code(2).says("`parked` lists the keys");
}

#[test]
fn the_list_can_be_narrowed() {
    let (web, place) = set_aside(3);
    assert_eq!(keys(&place, &["parked"]).len(), 3);
    assert_eq!(keys(&place, &["parked", "ls", "digest"]).len(), 3);
    let condition = format!("key={}", web.url("/empty/02"));
    assert_eq!(keys(&place, &["parked", "--where", &condition]), [web.url("/empty/02")]);
    let both = ["parked", "ls", "--where", "reason=empty_page", "--where", "stage=summarise"];
    assert_eq!(keys(&place, &both).len(), 0);
    place.run(&["parked", "news"]).code(2).says("it has: digest");
}

#[test]
fn nothing_is_retried_or_dropped_without_saying_what() {
    let (_web, place) = set_aside(2);
    for verb in ["retry", "drop"] {
        place.run(&["parked", verb]).code(2).says("--all");
        place.run(&["parked", verb, "digest"]).code(2).says("say which");
        place.run(&["parked", verb, "news", "--all"]).code(2).says("it has: digest");
        place.run(&["parked", verb, "--where", "color=red"]).code(2).says("reason=…");
        place
            .run(&["parked", verb, "--where", "key=nothing"])
            .code(2)
            .says("nothing that is parked");
        place.run(&["parked", verb, "--all", "--where", "key=x"]).code(2);
        let twice = ["parked", verb, "--where", "stage=a", "--where", "stage=b"];
        place.run(&twice).code(2).says("nothing is both");
    }
    assert_eq!(keys(&place, &["parked"]).len(), 2);
}

#[test]
fn a_retried_item_comes_first_in_the_next_run_and_a_dropped_one_does_not_come() {
    let (web, place) = set_aside(3);
    let (dropped, rest) = (format!("key={}", web.url("/empty/01")), "reason=empty_page");
    let said = place.run(&["parked", "drop", "--where", &dropped]).code(0).stdout;
    assert!(said.contains("1 item taken off the list for good"), "{said}");
    assert!(said.contains("/empty/01") && !said.contains("/empty/02"), "{said}");
    let done = place.json(0, &["parked", "retry", "--where", rest]);
    assert_eq!(done["count"], 2, "{done}");
    assert_eq!(keys(&place, &["parked"]), Vec::<String>::new());

    let next = place.json(1, &digest(&web, 3));
    assert_eq!((&next["carried"], &next["items"]["parked"]), (&2.into(), &2.into()), "{next:#}");
    assert_eq!(
        keys(&place, &["parked"]).len(),
        2,
        "they failed again; the dropped one did not come"
    );
}

#[test]
fn more_than_ten_need_a_yes() {
    let (_web, place) = set_aside(11);
    let held = place.run(&["parked", "drop", "--all"]).code(2).says("11 items; nothing was done");
    assert!(held.stdout.contains("/empty/11"), "it says which: {}", held.stdout);
    assert_eq!(keys(&place, &["parked"]).len(), 11);
    place.run(&["parked", "retry", "--all"]).code(2).says("--yes");
    let done = place.json(0, &["parked", "drop", "--all", "--yes"]);
    assert_eq!(done["count"], 11, "{done}");
    assert!(place.run(&["parked"]).code(0).stdout.contains("nothing is parked"));
    place.run(&["parked", "retry", "--all"]).code(0);
}

#[test]
fn items_that_all_fail_alike_halt_the_run_unless_it_is_to_keep_going() {
    let mut web = FakeWeb::start();
    for page in 1..=22 {
        web = web.empty(&format!("/empty/{page:02}"));
    }
    let place = Place::new();
    let mut command = digest(&web, 22);
    place.run(&command).code(2).says("--keep-going");
    command.push("--keep-going");
    assert_eq!(place.json(1, &command)["items"]["parked"], 22);
}
