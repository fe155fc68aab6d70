//! While one program owns the home, others ask it; and they are not left waiting.

use crate::support::fake_ollama::FakeOllama;
use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;
use std::process::Child;

/// A home with one published run and one parked item, and a second run that the model holds.
fn held() -> (FakeWeb, FakeOllama, Place, Child) {
    let (web, ollama) = (FakeWeb::start().site(2).empty("/empty"), FakeOllama::start());
    let place = Place::new().with_ollama(&ollama.url());
    let (map, empty) = (web.url("/sitemap.xml"), web.url("/empty"));
    let command = ["digest", &map, &empty, "--delay", "0s"];
    place.run(&command).code(1);
    let asked = ollama.started();
    web.grow(3);
    ollama.hold();
    let child = place.start(&command);
    ollama.wait_for_started(asked + 1);
    (web, ollama, place, child)
}

#[test]
fn an_order_is_carried_out_by_the_owner_while_it_works() {
    let (web, ollama, place, mut owner) = held();
    let retry = place.run(&["parked", "retry", "--all", "--json"]).code(0);
    assert!(
        retry.stderr.contains(&format!("process {}; it is asked", owner.id())),
        "{}",
        retry.stderr
    );
    assert_eq!(retry.report()["keys"][0], web.url("/empty").as_str());
    assert!(owner.try_wait().unwrap().is_none(), "the owner is still at work");
    assert_eq!(place.json(0, &["parked"]).as_array().unwrap().len(), 0);
    assert_eq!(place.count("SELECT count(*) FROM tm_requests WHERE done_at IS NULL"), 0);

    ollama.release_all();
    assert_eq!(owner.wait().unwrap().code(), Some(0));
    let (map, empty) = (web.url("/sitemap.xml"), web.url("/empty"));
    let next = place.json(1, &["digest", &map, &empty, "--delay", "0s"]);
    assert_eq!(next["carried"], 1, "the next run takes it first: {next:#}");
}

#[test]
fn what_the_owner_refuses_is_said_to_who_asked() {
    let (_web, ollama, place, mut owner) = held();
    let published = super::ids(&place).pop().unwrap();
    place.run(&["rollback", &published]).code(2).says("a run of digest is at work");
    place.run(&["rollback", "nothing"]).code(2).says("there is no run nothing");
    ollama.release_all();
    assert_eq!(owner.wait().unwrap().code(), Some(0));
    place.run(&["rollback", &super::ids(&place)[0]]).code(0);
}

#[test]
fn an_owner_that_does_not_answer_leaves_nothing_behind() {
    let web = FakeWeb::start().empty("/empty");
    let place = Place::new();
    place.run(&["digest", &web.url("/empty"), "--delay", "0s"]).code(1);
    let lock = std::fs::File::options().write(true).open(place.home().join("lock")).unwrap();
    lock.lock().unwrap();
    place.run(&["parked", "drop", "--all"]).code(75).says("is in use by");
    assert_eq!(place.count("SELECT count(*) FROM tm_requests"), 0, "it was withdrawn");
    assert_eq!(place.json(0, &["parked"]).as_array().unwrap().len(), 1);
    lock.unlock().unwrap();
    place.run(&["parked", "drop", "--all"]).code(0);
}
