//! `rollback`: the table is as it was, and the next run does the work again.

use crate::support::fake_web::FakeWeb;
use crate::support::program::Place;

#[test]
fn a_run_is_taken_back_and_done_again() {
    let (web, place) = (FakeWeb::start().site(2), Place::new());
    let map = web.url("/sitemap.xml");
    let command = ["digest", &map, "--delay", "0s"];
    let rows = || place.texts("SELECT url || summary || _run FROM digests ORDER BY url");
    place.run(&command).code(0);
    let before = rows();
    web.revise(1, 77);
    web.grow(3);
    let second = place.json(0, &command);
    assert_eq!(second["items"]["done"], 2, "{second:#}");
    let run = second["run"].as_str().unwrap();

    let done = place.json(0, &["rollback", run]);
    assert_eq!((&done["restored"], &done["removed"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(rows(), before);
    assert!(place.run(&["runs"]).code(0).stdout.contains("rolled back"));
    place.run(&["rollback", run]).code(2).says("nothing to take back");
    place.run(&["rollback", "nothing"]).code(2).says("there is no run nothing");

    let again = place.json(0, &command);
    assert_eq!(again["items"]["done"], 2, "{again:#}");
    assert_eq!(place.count("SELECT count(*) FROM digests") as usize, before.len() + 1);
}

#[test]
fn it_says_what_became_of_the_rows() {
    let (web, place) = (FakeWeb::start().site(1), Place::new());
    place.run(&["digest", &web.url("/articles/1"), "--delay", "0s"]).code(0);
    let said = place.run(&["rollback", &super::ids(&place)[0]]).code(0).stdout;
    assert!(said.contains("0 rows restored, 1 row removed"), "{said}");
    assert!(said.contains("its files stay in the archive"), "{said}");
    assert_eq!(place.count("SELECT count(*) FROM digests"), 0);
}
